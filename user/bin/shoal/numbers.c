#include "shoal.h"

#include <abi/ids.h>
#include <stdio.h>
#include <stdlib.h>

static char number_fault[80];

const char *parse_number_fault(void)
{
    return number_fault;
}

bool read_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    for (const char *at = text; *at; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (*at < '0' || *at > '9' || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return *text != 0;
}

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    if (read_number(text, out) && *out >= min && *out <= max)
        return true;
    if (max == UINT64_MAX)
        snprintf(number_fault, sizeof number_fault, "'%.20s' is no number; ", text);
    else
        snprintf(number_fault, sizeof number_fault, "'%.20s' is no number from %llu to %llu; ", text,
                 (unsigned long long)min, (unsigned long long)max);
    return false;
}

bool parse_process_id(const char *text, uint64_t *out)
{
    char *dot, *end;
    unsigned long node = strtoul(text, &dot, 10);
    if (dot == text || *dot != '.' || node > NODES_MAX)
        return false;
    unsigned long serial = strtoul(dot + 1, &end, 10);
    if (*end || end == dot + 1 || serial > UINT32_MAX)
        return false;
    *out = PROCESS_ID(node, serial);
    return true;
}

const char *size_text(uint64_t bytes)
{
    static char texts[4][16];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    if (bytes >= 10ull << 20)
        snprintf(text, 16, "%uM", (unsigned)(bytes >> 20));
    else
        snprintf(text, 16, "%uK", (unsigned)(bytes >> 10));
    return text;
}

const char *duration_text(uint64_t ns)
{
    static char texts[4][24];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    uint64_t ms = ns / 1000000;
    if (ms < 10000)
        snprintf(text, 24, "%u.%03u s", (unsigned)(ms / 1000), (unsigned)(ms % 1000));
    else if (ms < 600000)
        snprintf(text, 24, "%u s", (unsigned)(ms / 1000));
    else
        snprintf(text, 24, "%u min", (unsigned)(ms / 60000));
    return text;
}
