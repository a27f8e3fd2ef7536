/* First instruction of a process: rdi = struct startup. The stack is fresh and 16-byte aligned. */
    .section .text.start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    andq $-16, %rsp
    call os_start
    ud2
    .size _start, . - _start

/* First instruction of another thread: rdi = struct os_thread. */
    .globl os_thread_begin
    .type os_thread_begin, @function
os_thread_begin:
    xorl %ebp, %ebp
    andq $-16, %rsp
    call os_thread_main
    ud2
    .size os_thread_begin, . - os_thread_begin
    .section .note.GNU-stack, "", @progbits
