; What pool.ll needs of an x86 processor and of Linux on it.

@futex = internal constant i64 202 ; the system call's number

define internal void @pause() alwaysinline {
  call void @llvm.x86.sse2.pause()
  ret void
}

define internal i32 @get_float_mode() alwaysinline {
  %word = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %word)
  %mode = load i32, ptr %word
  %settings = and i32 %mode, -64 ; without the flags of exceptions that happened
  ret i32 %settings
}

define internal void @set_float_mode(i32 %mode) alwaysinline {
entry:
  %word = alloca i32
  %present = call i32 @get_float_mode()
  %same = icmp eq i32 %present, %mode
  br i1 %same, label %done, label %set
set:
  store i32 %mode, ptr %word
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  br label %done
done:
  ret void
}

declare void @llvm.x86.sse2.pause()
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
