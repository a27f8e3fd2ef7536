/* Both doors end here: the PVH note's 32-bit entry, and the 64-bit entry of abi/boot_info.h. Each leads to arch_start()
 * at the kernel's linked addresses, on the boot stack, with page tables that map the low 4 GiB at 0 and at PHYSMAP_BASE
 * and the kernel's block at KERNEL_VIRT. Those tables serve the other processors' start as well. */

#define KERNEL_OFFSET 0xffffffff80000000
#define PRESENT_WRITE 0x03
#define LARGE 0x83
#define BOOT_STACK_BYTES 32768

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18 /* name bytes, value bytes, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long pvh_entry - KERNEL_OFFSET

    .section .text.entry, "ax", @progbits
    .code32
    .globl pvh_entry
/* ebx = physical address of hvm_start_info; the image lies at its linked physical address; paging is off. */
pvh_entry:
    cld
    rdtsc
    movl %eax, door_tsc - KERNEL_OFFSET
    movl %edx, door_tsc + 4 - KERNEL_OFFSET
    movl $(boot_pdpt_low - KERNEL_OFFSET + PRESENT_WRITE), boot_pml4 - KERNEL_OFFSET
    movl $(boot_pd_low - KERNEL_OFFSET + PRESENT_WRITE), boot_pdpt_low - KERNEL_OFFSET
    movl $LARGE, %eax
    movl $(boot_pd_low - KERNEL_OFFSET), %edi
    movl $512, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b

    movl $(boot_pml4 - KERNEL_OFFSET), %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx /* EFER.LME */
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    lgdt boot_gdt_pointer - KERNEL_OFFSET
    ljmp $8, $(pvh_entry_long - KERNEL_OFFSET)

    .code64
pvh_entry_long:
    movl %ebx, %edi
    movl $3, %esi /* the door's number */
    jmp entry_common

    .globl kernel_entry_uefi
/* rdi = physical address of struct boot_info; identity-mapped, position unknown. */
kernel_entry_uefi:
    cli
    cld
    xorl %esi, %esi /* boot_info says which door it was */

entry_common:
    leaq kernel_image_start(%rip), %rbx
    leaq boot_pd_low(%rip), %rax
    movq $LARGE, %rdx
    movl $2048, %ecx
1:  movq %rdx, (%rax)
    addq $0x200000, %rdx
    addq $8, %rax
    decl %ecx
    jnz 1b

    leaq boot_pd_low + PRESENT_WRITE(%rip), %rdx
    leaq boot_pdpt_low(%rip), %rax
    movl $4, %ecx
1:  movq %rdx, (%rax)
    addq $4096, %rdx
    addq $8, %rax
    decl %ecx
    jnz 1b

    leaq boot_pd_high + 8(%rip), %rax /* entry 1: KERNEL_VIRT */
    leaq LARGE(%rbx), %rdx
    movl $32, %ecx
1:  movq %rdx, (%rax)
    addq $0x200000, %rdx
    addq $8, %rax
    decl %ecx
    jnz 1b

    leaq boot_pd_high + PRESENT_WRITE(%rip), %rdx
    leaq boot_pdpt_high(%rip), %rax
    movq %rdx, 510 * 8(%rax)
    leaq boot_pml4(%rip), %rax
    leaq boot_pdpt_low + PRESENT_WRITE(%rip), %rdx
    movq %rdx, 0(%rax)
    movq %rdx, 256 * 8(%rax)
    leaq boot_pdpt_high + PRESENT_WRITE(%rip), %rdx
    movq %rdx, 511 * 8(%rax)
    movq %rax, %cr3

    movabsq $1f, %rax
    jmp *%rax
1:  lgdt boot_gdt_pointer_high(%rip)
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    leaq boot_stack_top(%rip), %rsp
    pushq $8
    leaq 2f(%rip), %rax
    pushq %rax
    lretq
2:  movq %rbx, %rdx
    xorl %ebp, %ebp
    call arch_start
    ud2

    .section .rodata
    .balign 8
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff /* 8: 64-bit code */
    .quad 0x00cf92000000ffff /* 16: data */
boot_gdt_end:
boot_gdt_pointer:
    .short boot_gdt_end - boot_gdt - 1
    .quad boot_gdt - KERNEL_OFFSET
boot_gdt_pointer_high:
    .short boot_gdt_end - boot_gdt - 1
    .quad boot_gdt

    .section .data
    .balign 8
    .globl door_tsc
door_tsc:
    .quad 0

    .section .bss, "aw", @nobits
    .balign 4096
    .globl boot_pml4
boot_pml4: .skip 4096
boot_pdpt_low: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd_high: .skip 4096
boot_pd_low: .skip 4 * 4096
    .balign 4096
    .globl boot_stack_guard, boot_stack_bottom, boot_stack_top
boot_stack_guard: .skip 4096
boot_stack_bottom: .skip BOOT_STACK_BYTES
boot_stack_top:
    .section .note.GNU-stack, "", @progbits
