#pragma once

void random_init(void); /* after boot_info and features */
