"""`wse verify`: compares every stage with PyTorch, finds the pass at fault, and the smallest program that shows it."""

from .operations import OperationResult as OperationResult
from .operations import compare_operations as compare_operations
from .reproduce import Smallest as Smallest
from .subject import Subject as Subject
from .subject import subject_of as subject_of
from .suspicion import Evidence as Evidence
from .verify import Fault as Fault
from .verify import StageResult as StageResult
from .verify import Verification as Verification
