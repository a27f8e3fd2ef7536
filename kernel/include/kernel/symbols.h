/* Addresses that linker.ld defines. */
#pragma once

extern char kernel_image_start[], kernel_image_end[], kernel_text_start[], kernel_text_end[], kernel_rodata_start[],
    kernel_rodata_end[], kernel_data_start[], kernel_data_end[], kernel_symbols_start[], kernel_symbols_end[];
