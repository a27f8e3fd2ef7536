#include "kernel_file.h"

#define PT_LOAD      1u
#define MACHINE_X64  62u
#define TYPE_EXEC    2u
#define SEGMENTS_MAX 16u

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments_offset, sections_offset;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count, section_bytes, section_count, names_section;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, virtual_address, physical_address, file_bytes, memory_bytes, align;
};

static const struct elf_segment *segments_of(const void *file)
{
    return (const void *)((const uint8_t *)file + ((const struct elf_header *)file)->segments_offset);
}

static bool header_right(const struct elf_header *h, uint64_t file_bytes)
{
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    if (file_bytes < sizeof *h)
        return false;
    for (unsigned i = 0; i < sizeof ident; i++)
        if (h->ident[i] != ident[i])
            return false;
    uint64_t table_bytes = (uint64_t)h->segment_count * sizeof(struct elf_segment);
    return h->type == TYPE_EXEC && h->machine == MACHINE_X64 && h->segment_bytes == sizeof(struct elf_segment) &&
           h->segment_count > 0 && h->segment_count <= SEGMENTS_MAX && h->segments_offset % 8 == 0 &&
           h->segments_offset <= file_bytes && table_bytes <= file_bytes - h->segments_offset;
}

static bool segment_right(const struct elf_segment *s, uint64_t file_bytes)
{
    return s->offset <= file_bytes && s->file_bytes <= file_bytes - s->offset && s->file_bytes <= s->memory_bytes &&
           s->memory_bytes <= KERNEL_BYTES_MAX && s->physical_address <= UINT64_MAX - s->memory_bytes;
}

bool kernel_file_plan(const void *file, uint64_t file_bytes, struct kernel_plan *plan_out)
{
    const struct elf_header *header = file;
    uint64_t lowest = UINT64_MAX, highest = 0;
    if (!header_right(header, file_bytes))
        return false;
    for (unsigned i = 0; i < header->segment_count; i++) {
        const struct elf_segment *s = &segments_of(file)[i];
        if (s->type != PT_LOAD || s->memory_bytes == 0)
            continue;
        if (!segment_right(s, file_bytes))
            return false;
        lowest = s->physical_address < lowest ? s->physical_address : lowest;
        uint64_t end = s->physical_address + s->memory_bytes;
        highest = end > highest ? end : highest;
    }
    if (lowest >= highest || highest - lowest > KERNEL_BYTES_MAX || header->entry < lowest || header->entry >= highest)
        return false;
    *plan_out = (struct kernel_plan){lowest, highest - lowest, header->entry - lowest};
    return true;
}

void kernel_file_place(const void *file, const struct kernel_plan *plan, void *block)
{
    const struct elf_header *header = file;
    uint8_t *to = block;
    for (uint64_t i = 0; i < plan->bytes; i++)
        to[i] = 0;
    for (unsigned i = 0; i < header->segment_count; i++) {
        const struct elf_segment *s = &segments_of(file)[i];
        if (s->type != PT_LOAD)
            continue;
        const uint8_t *from = (const uint8_t *)file + s->offset;
        for (uint64_t j = 0; j < s->file_bytes; j++)
            to[s->physical_address - plan->lowest + j] = from[j];
    }
}
