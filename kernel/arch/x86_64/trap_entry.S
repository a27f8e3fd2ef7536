/* Every way into the kernel and out of it, and the switch between kernel stacks. */

#include "offsets.h"

#define CPU_KERNEL_SP CPU_KERNEL_ENTRY_SP_OFFSET
#define CPU_USER_SP   CPU_USER_SP_SCRATCH_OFFSET

    .macro PUSH_REGISTERS
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

    .macro POP_REGISTERS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    .endm

    .text
/* 256 entries of 16 bytes each. Vectors 8, 10-14, 17, 21, 29, 30 come with an error code. */
    .globl trap_entries
    .balign 16
trap_entries:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
    .else
    pushq $0
    .endif
    pushq $vector
    .if (vector == 1) || (vector == 2) || (vector == 8) || (vector == 18)
    jmp trap_paranoid
    .else
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr

trap_common:
    PUSH_REGISTERS
    cld
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  movq %rsp, %rdi
    call trap_dispatch
    .globl trap_return
trap_return:
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  POP_REGISTERS
    addq $16, %rsp
    iretq

/* These can hit between a swapgs and its use, so the saved CS does not tell whose GS base is loaded: the sign does, since
 * the kernel's lies in the upper half and no process can set its own. */
trap_paranoid:
    PUSH_REGISTERS
    cld
    movl $0xc0000101, %ecx /* GS base */
    rdmsr
    xorl %ebx, %ebx
    testl %edx, %edx
    js 1f
    swapgs
    movl $1, %ebx
1:  movq %rsp, %rdi
    call trap_dispatch_paranoid
    testl %ebx, %ebx
    jz 1f
    swapgs
1:  POP_REGISTERS
    addq $16, %rsp
    iretq

    .globl syscall_entry
syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_USER_SP
    movq %gs:CPU_KERNEL_SP, %rsp
    pushq $0x23 /* user data */
    pushq %gs:CPU_USER_SP
    pushq %r11
    pushq $0x2b /* user code */
    pushq %rcx
    pushq $0
    pushq $0x100 /* VECTOR_SYSCALL */
    PUSH_REGISTERS
    movq %rsp, %rdi
    call syscall_enter
    /* Here goes on who rested: see arch_rest(). Of the registers it has nothing but rsp. */
    call syscall_leave
    /* The frame may have been replaced by one that did not come from a system call: then rcx and r11 matter. */
    cmpl $0x100, FRAME_VECTOR(%rsp)
    jne trap_return
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    movq FRAME_R10 - FRAME_R11(%rsp), %r10
    movq FRAME_R9 - FRAME_R11(%rsp), %r9
    movq FRAME_R8 - FRAME_R11(%rsp), %r8
    movq FRAME_RAX - FRAME_R11(%rsp), %rax
    movq FRAME_RDX - FRAME_R11(%rsp), %rdx
    movq FRAME_RSI - FRAME_R11(%rsp), %rsi
    movq FRAME_RDI - FRAME_R11(%rsp), %rdi
    movq FRAME_RIP - FRAME_R11(%rsp), %rcx
    movq FRAME_RFLAGS - FRAME_R11(%rsp), %r11
    movq FRAME_RSP - FRAME_R11(%rsp), %rsp
    swapgs
    sysretq

/* The first instructions of a thread, after its first switch. */
    .globl thread_enter_user
thread_enter_user:
    call thread_begin_user
    jmp trap_return
    .globl thread_enter_kernel
thread_enter_kernel:
    movq %rbx, %rdi
    movq %r12, %rsi
    call thread_begin_kernel
    ud2

/* switch_stacks(uint64_t *save_sp, uint64_t load_sp) */
    .globl switch_stacks
switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rdi
/* load_stack(uint64_t load_sp) */
    .globl load_stack
load_stack:
    movq %rdi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

/* uint64_t usercopy(void *to, const void *from, uint64_t bytes): how many bytes were not copied. The caller opened user
 * memory. A fault in it that cannot be cured goes on at the fixup with rcx holding what is left. */
    .globl usercopy
usercopy:
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
1:  rep movsq
    movl %edx, %ecx
2:  rep movsb
    xorl %eax, %eax
    ret
3:  leaq (%rdx, %rcx, 8), %rax
    ret
4:  movq %rcx, %rax
    ret
    .pushsection .fault_fixups, "a", @progbits
    .quad 1b, 3b
    .quad 2b, 4b
    .popsection

    .section .note.GNU-stack, "", @progbits
