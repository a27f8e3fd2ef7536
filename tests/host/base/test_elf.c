/* Program files: what is taken, and what is refused with a reason. */
#include <base/elf.h>
#include <test/check.h>
#include <test/random.h>

#define PHEADERS      64
#define PHEADER_BYTES 56

static uint8_t file[3 * 4096];

static void put(size_t at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        file[at + i] = (uint8_t)(value >> (8 * i));
}

static void put_segment(uint32_t n, uint32_t flags, uint64_t offset, uint64_t address, uint64_t in_file,
                        uint64_t in_memory)
{
    size_t at = PHEADERS + n * PHEADER_BYTES;
    put(at, 1, 4), put(at + 4, flags, 4), put(at + 8, offset, 8), put(at + 16, address, 8);
    put(at + 32, in_file, 8), put(at + 40, in_memory, 8), put(at + 48, 4096, 8);
}

/* Text (read, execute) and data (read, write) with a tail of zeroes. */
static void make(void)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    memset(file, 0, sizeof file);
    memcpy(file, ident, sizeof ident);
    put(16, 2, 2), put(18, 62, 2), put(20, 1, 4);
    put(24, 0x400010, 8), put(32, PHEADERS, 8);
    put(54, PHEADER_BYTES, 2), put(56, 2, 2);
    put_segment(0, 5, 0, 0x400000, 4096, 4096);
    put_segment(1, 6, 4096, 0x401000, 100, 10000);
}

static err_t plan(struct elf_plan *p, const char **why)
{
    return elf_plan(file, sizeof file, p, why);
}

static void test_good(void)
{
    struct elf_plan p;
    make();
    CHECK_EQUAL(plan(&p, NULL), E_OK);
    CHECK_EQUAL(p.count, 2);
    CHECK_EQUAL(p.entry, 0x400010);
    CHECK_EQUAL(p.segments[0].vm_flags, VM_READ | VM_EXEC);
    CHECK_EQUAL(p.segments[1].vm_flags, VM_READ | VM_WRITE);
    CHECK_EQUAL(p.segments[1].bytes, 3 * 4096);
    CHECK_EQUAL(p.segments[1].file_bytes, 100);
}

static void refused(void)
{
    struct elf_plan p;
    const char *why = NULL;
    CHECK_EQUAL(plan(&p, &why), E_BAD_IMAGE);
    CHECK(why != NULL && strlen(why) > 10);
}

static void test_refusals(void)
{
    make(), put(0, 0, 1), refused();                                          /* no ELF */
    make(), put(4, 1, 1), refused();                                          /* 32 bits */
    make(), put(16, 3, 2), refused();                                         /* shared object */
    make(), put(18, 183, 2), refused();                                       /* another processor */
    make(), put(56, 65, 2), refused();                                        /* too many headers */
    make(), put(32, UINT64_MAX - 10, 8), refused();                           /* headers outside */
    make(), put_segment(0, 7, 0, 0x400000, 4096, 4096), refused();            /* writable code */
    make(), put_segment(1, 6, 4096, 0x400000, 100, 100), refused();           /* overlap */
    make(), put_segment(1, 6, 4096, 0x402000, 100, 50), refused();            /* more in the file than in memory */
    make(), put_segment(1, 6, 4096, 0x402000, 9000, 9000), refused();         /* beyond the file's end */
    make(), put_segment(1, 6, 4096, 0x402000, 100, UINT64_MAX), refused();    /* wraps around */
    make(), put_segment(1, 6, 4096, 0xffffffff80200000, 100, 100), refused(); /* the kernel's addresses */
    make(), put_segment(1, 6, 4096, 0, 100, 100), refused();                  /* page 0 */
    make(), put_segment(1, 6, 4096, 0x401010, 100, 100), refused();           /* not on a page */
    make(), put(24, 0x401000, 8), refused();                                  /* entry in data */
    make(), put(56, 0, 2), refused();                                         /* nothing to run */
}

/* Whatever the bytes, a plan lies inside of the file and of a program's addresses. */
static void test_noise(void)
{
    struct random r = {11};
    struct elf_plan p;
    for (int round = 0; round < 50000; round++) {
        make();
        for (uint32_t n = 1 + random_below(&r, 4); n > 0; n--)
            file[16 + random_below(&r, PHEADERS + 2 * PHEADER_BYTES - 16)] = (uint8_t)random_below(&r, 256);
        size_t bytes = random_below(&r, 4) ? sizeof file : random_below(&r, sizeof file);
        if (elf_plan(file, bytes, &p, NULL) != E_OK)
            continue;
        for (uint32_t i = 0; i < p.count; i++) {
            const struct elf_segment *s = &p.segments[i];
            CHECK(s->file_offset <= bytes && s->file_bytes <= bytes - s->file_offset && s->file_bytes <= s->bytes);
            CHECK(s->address >= ELF_VA_LOW && s->bytes <= ELF_VA_HIGH - s->address);
            CHECK(i == 0 || s->address >= s[-1].address + s[-1].bytes);
        }
    }
}

int main(void)
{
    RUN(test_good);
    RUN(test_refusals);
    RUN(test_noise);
    return 0;
}
