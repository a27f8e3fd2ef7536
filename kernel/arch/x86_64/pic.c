/* The old interrupt controllers: moved out of the exceptions' way and shut for good. */
#include "pic.h"

#include "cpu.h"

void pic_shut(void)
{
    port_out8(0x20, 0x11);
    port_out8(0xa0, 0x11);
    port_out8(0x21, 0x20); /* vectors 0x20..0x2f: what still comes (spurious 7 and 15) is ignored there */
    port_out8(0xa1, 0x28);
    port_out8(0x21, 4);
    port_out8(0xa1, 2);
    port_out8(0x21, 1);
    port_out8(0xa1, 1);
    port_out8(0x21, 0xff);
    port_out8(0xa1, 0xff);
}
