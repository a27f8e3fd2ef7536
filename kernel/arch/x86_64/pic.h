#pragma once

void pic_shut(void);
