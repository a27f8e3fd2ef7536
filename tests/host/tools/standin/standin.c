/* A guest for the tests of the cluster runner: it enters by the PVH door, says so on COM1, echoes what is typed there,
 * and answers on COM2 as the agent shell does. Commands: "true", "echo TEXT", "exit N", "hang" (until cancelled),
 * "leave" (ends the emulator), "restart". It sleeps until a serial interrupt. */
#include <stdint.h>

#define COM1 0x3f8
#define COM2 0x2f8

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put(uint16_t port, char c)
{
    while (!(in8(port + 5) & 0x20))
        __asm__ volatile("pause");
    out8(port, (uint8_t)c);
}

static void print(uint16_t port, const char *text)
{
    while (*text)
        put(port, *text++);
}

static void print_number(uint16_t port, uint32_t value)
{
    if (value >= 10)
        print_number(port, value / 10);
    put(port, (char)('0' + value % 10));
}

/* ---- interrupts: only so that hlt ends ---- */

struct gate {
    uint16_t low, selector, type, high;
} __attribute__((packed));
struct table {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));
static struct gate idt[48];
static uint64_t gdt[3] = {0, 0x00cf9a000000ffffull, 0x00cf92000000ffffull};

__asm__("on_interrupt:\n push %eax\n mov $0x20, %al\n out %al, $0xa0\n out %al, $0x20\n pop %eax\n iret\n");
extern char on_interrupt[];

static void interrupts_init(void)
{
    struct table gdtr = {sizeof(gdt) - 1, (uint32_t)gdt}, idtr = {sizeof(idt) - 1, (uint32_t)idt};
    uint32_t handler = (uint32_t)on_interrupt;
    __asm__ volatile("lgdt %0\n ljmp $8, $1f\n 1: mov $16, %%eax\n mov %%eax, %%ds\n mov %%eax, %%es\n mov %%eax, %%ss"
                     :
                     : "m"(gdtr)
                     : "eax");
    for (int i = 32; i < 48; i++)
        idt[i] = (struct gate){(uint16_t)handler, 8, 0x8e00, (uint16_t)(handler >> 16)};
    __asm__ volatile("lidt %0" : : "m"(idtr));
    static const uint8_t init[][2] = {{0x20, 0x11}, {0xa0, 0x11}, {0x21, 32}, {0xa1, 40},   {0x21, 4},
                                      {0xa1, 2},    {0x21, 1},    {0xa1, 1},  {0x21, 0xe7}, {0xa1, 0xff}};
    for (unsigned i = 0; i < sizeof(init) / 2; i++)
        out8(init[i][0], init[i][1]);
    for (int i = 0; i < 2; i++) {
        uint16_t port = i ? COM2 : COM1;
        out8(port + 2, 1);
        out8(port + 4, 8);
        out8(port + 1, 1);
    }
}

/* ---- the agent ---- */

static char line[64], command[64];
static uint32_t line_length, command_length, command_wanted, request;

static uint32_t number_at(const char **text)
{
    uint32_t value = 0;
    while (**text >= '0' && **text <= '9')
        value = value * 10 + (uint32_t)(*(*text)++ - '0');
    return value;
}

static void answer(const char *kind, uint32_t value)
{
    print(COM2, "\x02 ");
    print_number(COM2, request);
    print(COM2, kind);
    print_number(COM2, value);
    print(COM2, "\n");
}

static int begins(const char *text, const char *with)
{
    while (*with)
        if (*text++ != *with++)
            return 0;
    return 1;
}

static void run_command(void)
{
    const char *argument = command + 5;
    command[command_length] = 0;
    if (begins(command, "echo ")) {
        answer(" out ", command_length - 5);
        print(COM2, argument);
        answer(" exit ", 0);
    } else if (begins(command, "exit ")) {
        answer(" exit ", number_at(&argument));
    } else if (begins(command, "leave")) {
        out8(0xf4, 5);
    } else if (begins(command, "restart")) {
        out8(0xcf9, 6);
    } else if (!begins(command, "hang")) {
        answer(" exit ", begins(command, "true") ? 0 : 127);
    } else {
        print(COM1, "hanging\n");
    }
}

static void agent_header(void)
{
    const char *text = line + 2;
    uint32_t id = number_at(&text);
    text++;
    uint32_t length = number_at(&text);
    if (id == 0) {
        print(COM1, "cancelled\n");
        print(COM2, "\x02 0 ready\n");
        return;
    }
    request = id;
    command_length = 0;
    command_wanted = length < sizeof(command) ? length : sizeof(command) - 1;
}

static void agent_byte(char c)
{
    if (command_wanted) {
        command[command_length++] = c;
        if (command_length == command_wanted) {
            command_wanted = 0;
            run_command();
        }
        return;
    }
    if (c == 2)
        line_length = 0;
    if (line_length < sizeof(line) - 1)
        line[line_length++] = c;
    line[line_length] = 0;
    if (c == '\n') {
        if (line[0] == 2)
            agent_header();
        line_length = 0;
    }
}

__attribute__((used)) void standin_main(void)
{
    interrupts_init();
    print(COM1, "stand-in up\n");
    print(COM2, "\x02 0 ready\n");
    for (;;) {
        __asm__ volatile("cli");
        while (in8(COM1 + 5) & 1)
            put(COM1, (char)in8(COM1));
        while (in8(COM2 + 5) & 1)
            agent_byte((char)in8(COM2));
        __asm__ volatile("sti\n hlt");
    }
}

__asm__(".section .note.pvh, \"a\", @note\n .long 4, 4, 18\n .asciz \"Xen\"\n .long start\n"
        ".text\n .global start\n start: mov $stack_end, %esp\n jmp standin_main\n"
        ".bss\n .skip 16384\n stack_end:\n");
