; What compiled code calls in place of malloc and free in this process, so that a run for which there is not enough
; memory ends with a status: what it had allocated is known, and control returns to wse_run_guarded.
;
; A block has a header, the links of a ring. Blocks of a run are in the ring of its guard, which lies on the stack; those
; that a run hands to its caller are rings of their own afterwards.

%block = type { ptr, ptr }                           ; next and previous; what was asked for lies behind
%guard = type { %block, i64, i64, [64 x i64] }       ; ring, bytes and site of what failed, room for a jmp_buf

@key = internal global i32 0                         ; pthread_key_t: the guard of the run that a thread is in

declare noalias ptr @malloc(i64)
declare void @free(ptr)
declare i32 @pthread_key_create(ptr, ptr)
declare ptr @pthread_getspecific(i32)
declare i32 @pthread_setspecific(i32, ptr)
declare i32 @_setjmp(ptr) returns_twice
declare void @longjmp(ptr, i32) noreturn

; To be called once; returns what is not 0 if this cannot work here.
define i32 @wse_allocations_begin() {
  %failed = call i32 @pthread_key_create(ptr @key, ptr null)
  ret i32 %failed
}

; Never returns null inside of a run.
define noalias ptr @wse_allocate(i64 %size, i64 %site) {
entry:
  %key = load i32, ptr @key
  %guard = call ptr @pthread_getspecific(i32 %key)
  %sensible = icmp ult i64 %size, 9223372036854775744 ; 2^63 - 64
  br i1 %sensible, label %try, label %none
try:
  %whole = add i64 %size, 16
  %made = call ptr @malloc(i64 %whole)
  %got = icmp ne ptr %made, null
  br i1 %got, label %link, label %none
link:
  call void @alone(ptr %made)
  %outside = icmp eq ptr %guard, null
  %ring = select i1 %outside, ptr %made, ptr %guard
  %next = load ptr, ptr %ring
  store ptr %next, ptr %made
  %previous_of_made = getelementptr %block, ptr %made, i64 0, i32 1
  store ptr %ring, ptr %previous_of_made
  %previous_of_next = getelementptr %block, ptr %next, i64 0, i32 1
  store ptr %made, ptr %previous_of_next
  store ptr %made, ptr %ring
  %memory = getelementptr %block, ptr %made, i64 1
  ret ptr %memory
none:
  %nowhere = icmp eq ptr %guard, null
  br i1 %nowhere, label %refuse, label %escape
refuse:
  ret ptr null
escape:
  %bytes_place = getelementptr %guard, ptr %guard, i64 0, i32 1
  store i64 %size, ptr %bytes_place
  %site_place = getelementptr %guard, ptr %guard, i64 0, i32 2
  store i64 %site, ptr %site_place
  %home = getelementptr %guard, ptr %guard, i64 0, i32 3
  call void @longjmp(ptr %home, i32 1) noreturn
  unreachable
}

define void @wse_release(ptr %memory) {
entry:
  %nothing = icmp eq ptr %memory, null
  br i1 %nothing, label %done, label %release
release:
  %member = getelementptr %block, ptr %memory, i64 -1
  call void @unlink(ptr %member)
  call void @free(ptr %member)
  br label %done
done:
  ret void
}

; Calls `entry` with `arguments`. The first of the three words of `status` is 0 at its beginning, and minus one minus
; the site of an allocation that failed afterwards, with its bytes in the second.
define void @wse_run_guarded(ptr %entry, ptr %arguments, ptr %status) {
start:
  %guard = alloca %guard, align 16
  call void @alone(ptr %guard)
  store i64 0, ptr %status
  %key = load i32, ptr @key
  %before = call ptr @pthread_getspecific(i32 %key)
  %unset = call i32 @pthread_setspecific(i32 %key, ptr %guard)
  %home = getelementptr %guard, ptr %guard, i64 0, i32 3
  %escaped = call i32 @_setjmp(ptr %home) returns_twice
  %first = icmp eq i32 %escaped, 0
  br i1 %first, label %run, label %clear
run:
  call void %entry(ptr %arguments)
  br label %hand_out
hand_out:
  %result = load ptr, ptr %guard
  %none_left = icmp eq ptr %result, %guard
  br i1 %none_left, label %done, label %let_go
let_go:
  call void @unlink(ptr %result)
  call void @alone(ptr %result)
  br label %hand_out
clear:
  %left = load ptr, ptr %guard
  %all_free = icmp eq ptr %left, %guard
  br i1 %all_free, label %tell, label %give_back
give_back:
  call void @unlink(ptr %left)
  call void @free(ptr %left)
  br label %clear
tell:
  %site_place = getelementptr %guard, ptr %guard, i64 0, i32 2
  %site = load i64, ptr %site_place
  %word = sub i64 -1, %site
  store i64 %word, ptr %status
  %bytes_place = getelementptr %guard, ptr %guard, i64 0, i32 1
  %bytes = load i64, ptr %bytes_place
  %status_bytes = getelementptr i64, ptr %status, i64 1
  store i64 %bytes, ptr %status_bytes
  br label %done
done:
  %reset = call i32 @pthread_setspecific(i32 %key, ptr %before)
  ret void
}

define internal void @alone(ptr %member) {
  store ptr %member, ptr %member
  %previous = getelementptr %block, ptr %member, i64 0, i32 1
  store ptr %member, ptr %previous
  ret void
}

define internal void @unlink(ptr %member) {
  %next = load ptr, ptr %member
  %previous_place = getelementptr %block, ptr %member, i64 0, i32 1
  %previous = load ptr, ptr %previous_place
  store ptr %next, ptr %previous
  %previous_of_next = getelementptr %block, ptr %next, i64 0, i32 1
  store ptr %previous, ptr %previous_of_next
  ret void
}
