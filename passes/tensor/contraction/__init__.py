"""What sums of products are: the roles of their iterators, what happens to their factors."""
