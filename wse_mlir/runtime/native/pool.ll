; Threads that share the chunks of a parallel loop. docs/native-code.md says how it is used; pool.py puts the parts together.
;
; One job runs at a time. Its chunks are claimed one by one, in ascending order, by the thread that brings the job and by
; workers; the caller never waits for a worker to wake up, only for chunks that workers are in the middle of. Who
; computes a chunk is left to chance, what a chunk computes is not.
;
; @ticket holds the number of the job (upper half) and how many of its chunks are unclaimed (lower half). Whoever
; decrements it has a chunk. The other words of the job are written only while nothing is unclaimed and nothing is
; being computed, so that a worker whose decrement succeeds has read words of the very job that it works for.
;
; After a fork the child has no workers: @owner is the process that the workers live in, and a process that is not the
; owner begins anew.

@ticket = internal global i64 0, align 64
@finished = internal global i32 0, align 64 ; chunks of this job that workers are done with; the caller may sleep on it
@caller_sleeps = internal global i32 0
@sleepers = internal global i32 0, align 64 ; workers that sleep on the upper half of @ticket
@stopping = internal global i32 0
@busy = internal global i32 0, align 64 ; 1 while a thread brings a job, or changes what is below
@owner = internal global i32 0          ; the process; minus the process while it takes over
@workers = internal global i64 0
@handles = internal global [256 x i64] zeroinitializer

; the job
@body = internal global ptr null, align 64
@environment = internal global ptr null
@chunks = internal global i64 0
@threads = internal global i64 0  ; that may work on it, the caller included
@float_mode = internal global i32 0 ; rounding and denormals, as the caller has them
@caller_processor = internal global i32 -1 ; that the caller ran on

declare i32 @getpid()
declare i64 @syscall(i64, ...)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)

; Calls body(environment, k) for k = 0 ... chunks - 1, from at most `threads` threads; returns when all are done.
; Any number of threads may call this at the same time: one gets the workers, the others run their chunks themselves.
define void @wse_pool_run(ptr %body, ptr %environment, i64 %chunks, i64 %threads) {
entry:
  %several.chunks = icmp sgt i64 %chunks, 1
  %several.threads = icmp sgt i64 %threads, 1
  %parallel = and i1 %several.chunks, %several.threads
  br i1 %parallel, label %acquire, label %alone
acquire:
  %entered = call i1 @enter()
  br i1 %entered, label %publish, label %alone
publish:
  call void @grow(i64 %threads)
  store atomic ptr %body, ptr @body monotonic, align 8
  store atomic ptr %environment, ptr @environment monotonic, align 8
  store atomic i64 %chunks, ptr @chunks monotonic, align 8
  store atomic i64 %threads, ptr @threads monotonic, align 8
  %mode = call i32 @get_float_mode()
  store atomic i32 %mode, ptr @float_mode monotonic, align 4
  %processor = call i32 @sched_getcpu()
  store atomic i32 %processor, ptr @caller_processor monotonic, align 4
  store atomic i32 0, ptr @finished monotonic, align 4
  call void @announce(i64 %chunks)
  %computed = call i64 @work(i64 0)
  %others = sub i64 %chunks, %computed
  %awaited = trunc i64 %others to i32
  call void @await(i32 %awaited)
  store atomic i32 0, ptr @busy release, align 4
  ret void
alone:
  %any = icmp sgt i64 %chunks, 0
  br i1 %any, label %loop, label %done
loop:
  %k = phi i64 [ 0, %alone ], [ %next, %loop ]
  call void %body(ptr %environment, i64 %k)
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %chunks
  br i1 %more, label %loop, label %done
done:
  ret void
}

; Whether the pool is the calling thread's, until it stores 0 into @busy.
define internal i1 @enter() {
entry:
  %pid = call i32 @getpid()
  %owner = load atomic i32, ptr @owner acquire, align 4
  %own = icmp eq i32 %owner, %pid
  br i1 %own, label %take, label %foreign
foreign:
  %taking = sub i32 0, %pid
  %somebody = icmp eq i32 %owner, %taking
  br i1 %somebody, label %refused, label %claim
claim:
  %exchange = cmpxchg ptr @owner, i32 %owner, i32 %taking acq_rel monotonic
  %won = extractvalue { i32, i1 } %exchange, 1
  br i1 %won, label %reset, label %refused
reset: ; what the parent's threads were doing is not ours
  store atomic i64 0, ptr @ticket monotonic, align 8
  store atomic i32 0, ptr @caller_sleeps monotonic, align 4
  store atomic i32 0, ptr @sleepers monotonic, align 4
  store atomic i32 0, ptr @stopping monotonic, align 4
  store i64 0, ptr @workers
  store atomic i32 0, ptr @busy monotonic, align 4
  store atomic i32 %pid, ptr @owner release, align 4
  br label %take
take:
  %lock = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %taken = extractvalue { i32, i1 } %lock, 1
  ret i1 %taken
refused:
  ret i1 false
}

; Starts workers until there are `threads` with the caller, with all signals blocked: they are for the caller's threads.
; Where the system gives no more, there are fewer.
define internal void @grow(i64 %threads) {
entry:
  %all = alloca [16 x i64] ; sigset_t has 1024 bits
  %before = alloca [16 x i64]
  %limited = call i64 @llvm.umin.i64(i64 %threads, i64 257)
  %wanted = sub i64 %limited, 1
  %present = load i64, ptr @workers
  %enough = icmp uge i64 %present, %wanted
  br i1 %enough, label %done, label %block
block:
  call void @llvm.memset.p0.i64(ptr %all, i8 -1, i64 128, i1 false)
  %blocked = call i32 @pthread_sigmask(i32 0, ptr %all, ptr %before) ; SIG_BLOCK
  br label %create
create:
  %index = phi i64 [ %present, %block ], [ %next, %created ]
  %handle = getelementptr [256 x i64], ptr @handles, i64 0, i64 %index
  %argument = inttoptr i64 %index to ptr
  %failed = call i32 @pthread_create(ptr %handle, ptr null, ptr @worker, ptr %argument)
  %started = icmp eq i32 %failed, 0
  br i1 %started, label %created, label %restore
created:
  %next = add i64 %index, 1
  store i64 %next, ptr @workers
  %missing = icmp ult i64 %next, %wanted
  br i1 %missing, label %create, label %restore
restore:
  %restored = call i32 @pthread_sigmask(i32 2, ptr %before, ptr null) ; SIG_SETMASK
  br label %done
done:
  ret void
}

; Makes the next job visible and wakes who sleeps. A worker that goes to sleep counts itself before the system compares
; the ticket; the ticket is stored before the sleepers are counted: one of the two sees the other.
define internal void @announce(i64 %chunks) {
  %ticket = load atomic i64, ptr @ticket monotonic, align 8
  %job = and i64 %ticket, -4294967296
  %next = add i64 %job, 4294967296
  %new = or i64 %next, %chunks
  store atomic i64 %new, ptr @ticket seq_cst, align 8
  %sleepers = load atomic i32, ptr @sleepers seq_cst, align 4
  %any = icmp ne i32 %sleepers, 0
  br i1 %any, label %wake, label %done
wake:
  %half = call ptr @job_number()
  call void @futex_wake(ptr %half)
  br label %done
done:
  ret void
}

; Claims and computes chunks of the present job while there are any; returns how many. Thread 0 is the caller.
define internal i64 @work(i64 %thread) {
entry:
  br label %look
look:
  %computed = phi i64 [ 0, %entry ], [ %computed, %claim ], [ %count, %compute ], [ %count, %wake ]
  %ticket = load atomic i64, ptr @ticket acquire, align 8
  %unclaimed = and i64 %ticket, 4294967295
  %none = icmp eq i64 %unclaimed, 0
  br i1 %none, label %done, label %read
read:
  %threads = load atomic i64, ptr @threads monotonic, align 8
  %chunks = load atomic i64, ptr @chunks monotonic, align 8
  %body = load atomic ptr, ptr @body monotonic, align 8
  %environment = load atomic ptr, ptr @environment monotonic, align 8
  %mode = load atomic i32, ptr @float_mode monotonic, align 4
  %invited = icmp slt i64 %thread, %threads
  br i1 %invited, label %claim, label %done
claim:
  %less = sub i64 %ticket, 1
  %exchange = cmpxchg ptr @ticket, i64 %ticket, i64 %less acq_rel monotonic
  %claimed = extractvalue { i64, i1 } %exchange, 1
  br i1 %claimed, label %begin, label %look
begin:
  call void @set_float_mode(i32 %mode)
  %k = sub i64 %chunks, %unclaimed
  call void %body(ptr %environment, i64 %k)
  %count = add i64 %computed, 1
  %is.caller = icmp eq i64 %thread, 0
  br i1 %is.caller, label %compute, label %report
compute:
  br label %look
report:
  %before = atomicrmw add ptr @finished, i32 1 seq_cst
  %asleep = load atomic i32, ptr @caller_sleeps seq_cst, align 4
  %wake.caller = icmp ne i32 %asleep, 0
  br i1 %wake.caller, label %wake, label %compute
wake:
  call void @futex_wake(ptr @finished)
  br label %look
done:
  ret i64 %computed
}

; Waits until workers are done with so many chunks: spins a while, for usually the chunks are equally long.
define internal void @await(i32 %wanted) {
entry:
  br label %spin
spin:
  %turn = phi i32 [ 0, %entry ], [ %next, %pause ]
  %finished = load atomic i32, ptr @finished acquire, align 4
  %complete = icmp eq i32 %finished, %wanted
  br i1 %complete, label %done, label %again
again:
  %patient = icmp ult i32 %turn, 2000
  br i1 %patient, label %pause, label %sleep
pause:
  call void @pause()
  %next = add i32 %turn, 1
  br label %spin
sleep: ; a worker lost its processor
  store atomic i32 1, ptr @caller_sleeps seq_cst, align 4
  %now = load atomic i32, ptr @finished seq_cst, align 4
  %all = icmp eq i32 %now, %wanted
  br i1 %all, label %woken, label %wait
wait:
  call void @futex_wait(ptr @finished, i32 %now)
  br label %sleep
woken:
  store atomic i32 0, ptr @caller_sleeps monotonic, align 4
  br label %done
done:
  ret void
}

; A thread of the pool; `index` counts from 0, so that it is thread index + 1 of a job.
define internal ptr @worker(ptr %index) {
entry:
  %number = ptrtoint ptr %index to i64
  %thread = add i64 %number, 1
  %home = alloca [16 x i64] ; cpu_set_t has 1024 bits: where it may run
  %asked = call i32 @sched_getaffinity(i32 0, i64 128, ptr %home)
  %answered = icmp sge i32 %asked, 0
  br label %serve
serve:
  call void @leave_caller(ptr %home, i1 %answered)
  %ticket = load atomic i64, ptr @ticket acquire, align 8
  %computed = call i64 @work(i64 %thread)
  %stop = load atomic i32, ptr @stopping acquire, align 4
  %stopped = icmp ne i32 %stop, 0
  br i1 %stopped, label %end, label %idle
idle:
  %high = lshr i64 %ticket, 32
  %job = trunc i64 %high to i32
  %half = call ptr @job_number()
  br label %spin
spin: ; for some ten microseconds: the next loop of a model is not far
  %turn = phi i32 [ 0, %idle ], [ %next, %pause ]
  %present = load atomic i32, ptr %half acquire, align 4
  %same = icmp eq i32 %present, %job
  br i1 %same, label %again, label %serve
again:
  %patient = icmp ult i32 %turn, 2000
  br i1 %patient, label %pause, label %sleep
pause:
  call void @pause()
  %next = add i32 %turn, 1
  br label %spin
sleep:
  %more = atomicrmw add ptr @sleepers, i32 1 seq_cst
  call void @futex_wait(ptr %half, i32 %job)
  %fewer = atomicrmw sub ptr @sleepers, i32 1 seq_cst
  br label %serve
end:
  ret ptr null
}

; Keeps the calling worker off the processor that it shares with the caller. A scheduler that likes to leave processors
; idle, or thinks that the other one is slow, puts them together, and does so again at the next time the worker wakes: so
; the worker stays away from that processor, until it meets the caller on another one.
define internal void @leave_caller(ptr %home, i1 %known.home) {
entry:
  %others = alloca [16 x i64]
  %here = call i32 @sched_getcpu()
  %there = load atomic i32, ptr @caller_processor monotonic, align 4
  %together = icmp eq i32 %here, %there
  %known = icmp ult i32 %here, 1024
  %both = and i1 %together, %known
  %move = and i1 %both, %known.home
  br i1 %move, label %part, label %done
part:
  call void @llvm.memcpy.p0.p0.i64(ptr %others, ptr %home, i64 128, i1 false)
  %number = zext i32 %here to i64
  %index = lshr i64 %number, 6
  %place = getelementptr [16 x i64], ptr %others, i64 0, i64 %index
  %bit = and i64 %number, 63
  %mask = shl i64 1, %bit
  %kept = xor i64 %mask, -1
  %word = load i64, ptr %place
  %less = and i64 %word, %kept
  store i64 %less, ptr %place
  %moved = call i32 @sched_setaffinity(i32 0, i64 128, ptr %others) ; fails where there is no other
  br label %done
done:
  ret void
}

; Ends the workers and waits for them; from then on there is one thread. For code that is about to be unloaded.
define void @wse_pool_stop() {
entry:
  %owner = load atomic i32, ptr @owner acquire, align 4
  %pid = call i32 @getpid()
  %own = icmp eq i32 %owner, %pid
  %stopping = load atomic i32, ptr @stopping acquire, align 4
  %runs = icmp eq i32 %stopping, 0
  %go = and i1 %own, %runs
  br i1 %go, label %take, label %done
take: ; and keep: whoever calls later finds the pool taken
  %lock = cmpxchg ptr @busy, i32 0, i32 1 acquire monotonic
  %taken = extractvalue { i32, i1 } %lock, 1
  br i1 %taken, label %stop, label %wait
wait:
  call void @pause()
  br label %take
stop:
  store atomic i32 1, ptr @stopping seq_cst, align 4
  call void @announce(i64 0)
  %workers = load i64, ptr @workers
  br label %join
join:
  %index = phi i64 [ 0, %stop ], [ %next, %one ]
  %more = icmp ult i64 %index, %workers
  br i1 %more, label %one, label %done
one:
  %place = getelementptr [256 x i64], ptr @handles, i64 0, i64 %index
  %handle = load i64, ptr %place
  %joined = call i32 @pthread_join(i64 %handle, ptr null)
  %next = add i64 %index, 1
  br label %join
done:
  ret void
}

; The half of the ticket that changes with every job; a futex is a word of 32 bits. (Both architectures are little-endian.)
define internal ptr @job_number() alwaysinline {
  %half = getelementptr i8, ptr @ticket, i64 4
  ret ptr %half
}

define internal void @futex_wait(ptr %word, i32 %value) {
  %number = load i64, ptr @futex
  %result = call i64 (i64, ...) @syscall(i64 %number, ptr %word, i32 128, i32 %value, ptr null) ; FUTEX_WAIT_PRIVATE
  ret void
}

define internal void @futex_wake(ptr %word) {
  %number = load i64, ptr @futex
  %result = call i64 (i64, ...) @syscall(i64 %number, ptr %word, i32 129, i32 2147483647) ; FUTEX_WAKE_PRIVATE
  ret void
}
