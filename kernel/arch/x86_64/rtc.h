#pragma once

void rtc_init(void); /* after the clock */
