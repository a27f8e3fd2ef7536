/* The end of a boot that cannot go on. ConOut reaches screen and serial line alike. */
#include "loader.h"

void say(const char *text)
{
    Print(L"%a\n", text);
}

static void wait_for_key_and_restart(void)
{
    UINTN index;
    EFI_INPUT_KEY key;
    Print(L"Press a key to restart the machine.\n");
    ST->ConIn->Reset(ST->ConIn, FALSE);
    while (ST->ConIn->ReadKeyStroke(ST->ConIn, &key) != EFI_SUCCESS)
        if (BS->WaitForEvent(1, &ST->ConIn->WaitForKey, &index) != EFI_SUCCESS)
            BS->Stall(1000000);
    RT->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
}

void stop(const char *what, const char *where, const char *remedy)
{
    Print(L"\nShoal cannot start: %a\n  where: %a\n  to do: %a\n", what, where, remedy);
    for (;;)
        wait_for_key_and_restart();
}

void stop_status(const char *what, const char *where, EFI_STATUS status, const char *remedy)
{
    Print(L"\nfirmware says: %r", status);
    stop(what, where, remedy);
}
