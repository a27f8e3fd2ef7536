/* Reading program files. */
#include <base/elf.h>

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_bytes, program_entry_bytes, program_count, section_entry_bytes, section_count, names_index;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF header");

struct elf_program {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_bytes, memory_bytes, align;
};
_Static_assert(sizeof(struct elf_program) == 56, "ELF program header");

enum { ELF_EXECUTABLE = 2, ELF_X86_64 = 62, ELF_LOAD = 1, ELF_X = 1, ELF_W = 2, ELF_R = 4 };

static const char *check_header(const struct elf_header *h, uint64_t image_bytes)
{
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    if (__builtin_memcmp(h->ident, ident, sizeof ident) != 0)
        return "it is no 64-bit little-endian ELF file";
    if (h->type != ELF_EXECUTABLE || h->machine != ELF_X86_64)
        return "it is no static x86-64 program";
    if (h->program_entry_bytes != sizeof(struct elf_program) || h->program_count > 64 ||
        h->program_offset > image_bytes ||
        h->program_count * sizeof(struct elf_program) > image_bytes - h->program_offset)
        return "its program headers lie outside of the file";
    return NULL;
}

static const char *check_segment(const struct elf_program *p, uint64_t image_bytes)
{
    const uint64_t mask = PAGE_BYTES - 1;
    if (p->file_bytes > p->memory_bytes || p->offset > image_bytes || p->file_bytes > image_bytes - p->offset)
        return "a segment lies outside of the file";
    if (p->address < ELF_VA_LOW || p->address >= ELF_VA_HIGH || p->memory_bytes > ELF_VA_HIGH - p->address)
        return "a segment lies outside of a program's addresses";
    if ((p->address & mask) || (p->offset & mask))
        return "a segment does not begin on a page";
    if ((p->flags & ELF_W) && (p->flags & ELF_X))
        return "a segment is writable and executable";
    return NULL;
}

static const char *add_segment(struct elf_plan *plan, const struct elf_program *p)
{
    uint64_t pages = (p->memory_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    const struct elf_segment *last = plan->count ? &plan->segments[plan->count - 1] : NULL;
    if (plan->count == ELF_SEGMENTS_MAX)
        return "it has too many segments";
    if (last && p->address < last->address + last->bytes)
        return "segments overlap or are out of order";
    plan->segments[plan->count++] = (struct elf_segment){.address = p->address,
                                                         .bytes = pages,
                                                         .file_offset = p->offset,
                                                         .file_bytes = p->file_bytes,
                                                         .vm_flags = VM_READ | (p->flags & ELF_W ? VM_WRITE : 0) |
                                                                     (p->flags & ELF_X ? VM_EXEC : 0)};
    return NULL;
}

static bool entry_good(const struct elf_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct elf_segment *s = &plan->segments[i];
        if ((s->vm_flags & VM_EXEC) && plan->entry >= s->address && plan->entry - s->address < s->bytes)
            return true;
    }
    return false;
}

static const char *make_plan(const uint8_t *image, uint64_t image_bytes, struct elf_plan *plan)
{
    struct elf_header h;
    struct elf_program p;
    if (image_bytes < sizeof h)
        return "it is shorter than an ELF header";
    __builtin_memcpy(&h, image, sizeof h);
    const char *wrong = check_header(&h, image_bytes);
    *plan = (struct elf_plan){.entry = h.entry};
    for (uint32_t i = 0; !wrong && i < h.program_count; i++) {
        __builtin_memcpy(&p, image + h.program_offset + i * sizeof p, sizeof p);
        if (p.type != ELF_LOAD || p.memory_bytes == 0)
            continue;
        wrong = check_segment(&p, image_bytes);
        wrong = wrong ? wrong : add_segment(plan, &p);
    }
    if (!wrong && !entry_good(plan))
        wrong = "its entry is not in an executable segment";
    return wrong;
}

err_t elf_plan(const void *image, uint64_t image_bytes, struct elf_plan *plan_out, const char **why_out)
{
    const char *wrong = make_plan(image, image_bytes, plan_out);
    if (why_out)
        *why_out = wrong;
    return wrong ? E_BAD_IMAGE : E_OK;
}
