/* _setjmp and _longjmp, which save no signal mask: neither do newlib's setjmp and longjmp. */
    .text
    .globl _setjmp
    .type _setjmp, @function
_setjmp:
    jmp setjmp
    .globl _longjmp
    .type _longjmp, @function
_longjmp:
    jmp longjmp
    .section .note.GNU-stack, "", @progbits
