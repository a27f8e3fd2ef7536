/* Where another processor begins: 16-bit code copied to a page below 1 MiB, with what it needs behind it. It goes to long
 * mode on the doors' page tables (which map that page at its own address), then to cpu_entry in the kernel. */

#define PARAM(name) (trampoline_##name - trampoline_start)

    .section .rodata
    .balign 16
    .globl trampoline_start, trampoline_end
    .code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    movzwl %ax, %ebx
    shll $4, %ebx /* the page's address */
    leal PARAM(gdt)(%ebx), %eax
    movl %eax, PARAM(gdt_pointer) + 2
    leal PARAM(long)(%ebx), %eax
    movl %eax, PARAM(far)
    lgdtl PARAM(gdt_pointer)
    movl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl PARAM(boot_root), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x900, %eax /* LME, NXE */
    wrmsr
    movl $0x80010031, %eax /* paging, write protection, protected mode; caches on */
    movl %eax, %cr0
    ljmpl *PARAM(far)

    .code64
trampoline_long:
    movl %ebx, %ebx
    movq PARAM(root)(%rbx), %rax
    movq PARAM(stack)(%rbx), %rdx
    movq PARAM(index)(%rbx), %rdi
    movq PARAM(entry)(%rbx), %rcx
    jmp *%rcx

    .balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00af9a000000ffff
trampoline_gdt_pointer:
    .short 15
    .long 0
    .balign 4
trampoline_far:
    .long 0
    .short 8
    .balign 8
    .globl trampoline_boot_root, trampoline_root, trampoline_stack, trampoline_index, trampoline_entry
trampoline_boot_root: .quad 0
trampoline_root: .quad 0
trampoline_stack: .quad 0
trampoline_index: .quad 0
trampoline_entry: .quad 0
trampoline_end:

    .text
/* rax = the kernel's page tables, rdx = top of a stack, rdi = the CPU's index */
    .globl cpu_entry
cpu_entry:
    movq %rax, %cr3
    movq %rdx, %rsp
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    xorl %ebp, %ebp
    call cpu_start
    ud2

    .section .note.GNU-stack, "", @progbits
