; What native_errors.py needs when the process ends inside of native code, where Python has no say any more: the text
; that was captured goes to the error stream of before. For Linux and 64 bits.

@saved = internal global i32 -1 ; the error stream of before; negative while nothing is captured
@file = internal global i32 -1  ; what takes its place
@before = internal global [6 x [19 x i64]] zeroinitializer ; struct sigaction: what there was for each signal
@signals = internal constant [6 x i32] [i32 4, i32 5, i32 6, i32 7, i32 8, i32 11] ; ILL, TRAP, ABRT, BUS, FPE, SEGV

declare i64 @pread(i32, ptr, i64, i64)
declare i64 @write(i32, ptr, i64)
declare i32 @dup2(i32, i32)
declare i32 @sigaction(i32, ptr, ptr)
declare i32 @raise(i32)
declare i32 @__cxa_atexit(ptr, ptr, ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

; To be called once: a process that leaves by exit(), as LLVM does after some errors, tells what was captured, too.
define void @wse_errors_at_exit() {
  %failed = call i32 @__cxa_atexit(ptr @tell, ptr null, ptr null)
  ret void
}

define void @wse_errors_begin(i32 %saved, i32 %file) {
entry:
  %action = alloca [19 x i64]
  call void @llvm.memset.p0.i64(ptr %action, i8 0, i64 152, i1 false)
  store ptr @handle, ptr %action
  %flags = getelementptr i8, ptr %action, i64 136
  store i32 1207959552, ptr %flags ; SA_NODEFER and SA_ONSTACK
  store i32 %file, ptr @file
  store atomic i32 %saved, ptr @saved seq_cst, align 4
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %loop ]
  %place = getelementptr [6 x i32], ptr @signals, i64 0, i64 %k
  %signal = load i32, ptr %place
  %old = getelementptr [6 x [19 x i64]], ptr @before, i64 0, i64 %k
  %done = call i32 @sigaction(i32 %signal, ptr %action, ptr %old)
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, 6
  br i1 %more, label %loop, label %end
end:
  ret void
}

define void @wse_errors_end() {
entry:
  store atomic i32 -1, ptr @saved seq_cst, align 4
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %loop ]
  %place = getelementptr [6 x i32], ptr @signals, i64 0, i64 %k
  %signal = load i32, ptr %place
  %old = getelementptr [6 x [19 x i64]], ptr @before, i64 0, i64 %k
  %done = call i32 @sigaction(i32 %signal, ptr %old, ptr null)
  %next = add i64 %k, 1
  %more = icmp ult i64 %next, 6
  br i1 %more, label %loop, label %end
end:
  ret void
}

; A signal that ends the process: tells, and lets it do what it would have done.
define internal void @handle(i32 %signal) {
  call void @tell(ptr null)
  call void @wse_errors_end()
  %raised = call i32 @raise(i32 %signal)
  ret void
}

define internal void @tell(ptr %unused) {
entry:
  %text = alloca [4096 x i8]
  %saved = atomicrmw xchg ptr @saved, i32 -1 seq_cst
  %captures = icmp sge i32 %saved, 0
  br i1 %captures, label %start, label %done
start:
  %file = load i32, ptr @file
  br label %read
read:
  %at = phi i64 [ 0, %start ], [ %next, %copy ]
  %count = call i64 @pread(i32 %file, ptr %text, i64 4096, i64 %at)
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %copy, label %restore
copy:
  %written = call i64 @write(i32 %saved, ptr %text, i64 %count)
  %next = add i64 %at, %count
  br label %read
restore:
  %back = call i32 @dup2(i32 %saved, i32 2)
  br label %done
done:
  ret void
}
