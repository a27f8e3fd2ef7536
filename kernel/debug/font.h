#pragma once

#include <abi/types.h>

#define FONT_FIRST  32
#define FONT_GLYPHS 95
#define FONT_WIDTH  5
#define FONT_HEIGHT 9

extern const uint8_t font_rows[FONT_GLYPHS][FONT_HEIGHT];
