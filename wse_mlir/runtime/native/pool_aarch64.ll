; What pool.ll needs of an Arm processor and of Linux on it.

@futex = internal constant i64 98 ; the system call's number

define internal void @pause() alwaysinline {
  call void @llvm.aarch64.hint(i32 1) ; yield
  ret void
}

define internal i32 @get_float_mode() alwaysinline {
  %mode = call i64 @llvm.aarch64.get.fpcr()
  %settings = trunc i64 %mode to i32
  ret i32 %settings
}

define internal void @set_float_mode(i32 %mode) alwaysinline {
entry:
  %present = call i32 @get_float_mode()
  %same = icmp eq i32 %present, %mode
  br i1 %same, label %done, label %set
set:
  %wide = zext i32 %mode to i64
  call void @llvm.aarch64.set.fpcr(i64 %wide)
  br label %done
done:
  ret void
}

declare void @llvm.aarch64.hint(i32)
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
