/* The cluster's key: from the disk that the loader came from, or kept in this machine's firmware. Never over the
 * network: whoever hears the key is a member. */
#include "loader.h"

#include "key_variable.h"

#define REMEDY "start from a disk whose shoal.conf says `key_store = forget`, or `key_store = uefi` beside a shoal.key"

static EFI_GUID shoal_guid = {0x5f0ad5c6, 0x9c1e, 0x4e8b, {0xa3, 0x71, 0x2d, 0x18, 0x4b, 0x90, 0xe6, 0x5c}};
static CHAR16 variable[] = L"ShoalKey";

void load_key_file(struct source *source, struct boot_info *info)
{
    struct blob key;
    if (source->door != 1 || !source_load(source, "shoal.key", &key))
        return;
    if (key.bytes != sizeof info->key)
        stop("the cluster key is not 32 bytes long", "shoal.key on the boot disk", "write 32 random bytes into it");
    CopyMem(info->key, key.base, sizeof info->key);
    ZeroMem(key.base, key.bytes);
    info->has_key = 1;
}

/* EFI_NOT_FOUND: there is none. *fault_out: what is wrong with it. `key` is wiped by whoever calls. */
static EFI_STATUS read_variable(UINT8 key[KEY_VARIABLE_BYTES], const char **fault_out)
{
    UINT32 attributes = KEY_VARIABLE_ATTRIBUTES; /* not told when it is too long */
    UINTN bytes = KEY_VARIABLE_BYTES;
    EFI_STATUS status = RT->GetVariable(variable, &shoal_guid, &attributes, &bytes, key);
    *fault_out = NULL;
    if (status == EFI_UNSUPPORTED)
        status = EFI_NOT_FOUND;
    if (status == EFI_BUFFER_TOO_SMALL)
        status = EFI_SUCCESS;
    if (!EFI_ERROR(status))
        *fault_out = key_variable_fault(attributes, bytes);
    else if (status != EFI_NOT_FOUND)
        *fault_out = "the cluster key cannot be read from the firmware";
    return status;
}

static bool is_kept(const UINT8 key[KEY_VARIABLE_BYTES])
{
    UINT8 kept[KEY_VARIABLE_BYTES];
    const char *fault;
    EFI_STATUS status = read_variable(kept, &fault);
    bool same = !EFI_ERROR(status) && !fault && CompareMem(kept, key, sizeof kept) == 0;
    ZeroMem(kept, sizeof kept);
    return same;
}

static void forget(void)
{
    EFI_STATUS status = RT->SetVariable(variable, &shoal_guid, 0, 0, NULL);
    if (EFI_ERROR(status) && status != EFI_NOT_FOUND)
        stop_status("the firmware does not let go of the cluster key", "the UEFI variable ShoalKey", status,
                    "clear the firmware's variables in its own setup");
    Print(L"Shoal: this machine's firmware keeps no cluster key%a\n", EFI_ERROR(status) ? "" : " any more");
}

/* Written only when it has to be: such memory wears. Whatever stood there goes first: a variable of other attributes is
 * not replaced. */
static void keep(UINT8 key[KEY_VARIABLE_BYTES])
{
    if (is_kept(key))
        return;
    RT->SetVariable(variable, &shoal_guid, 0, 0, NULL);
    EFI_STATUS status = RT->SetVariable(variable, &shoal_guid, KEY_VARIABLE_ATTRIBUTES, KEY_VARIABLE_BYTES, key);
    if (EFI_ERROR(status) || !is_kept(key))
        stop_status("the firmware does not keep the cluster key", "the UEFI variable ShoalKey", status,
                    "take `key_store` out of shoal.conf: the key then has to be on each disk that is booted from");
    say("Shoal: this machine's firmware keeps the cluster key now: shoal.key can be taken off the disk");
}

static void take_from_firmware(struct boot_info *info)
{
    UINT8 key[KEY_VARIABLE_BYTES];
    const char *fault;
    EFI_STATUS status = read_variable(key, &fault);
    if (fault && !info->has_key)
        stop_status(fault, "the UEFI variable ShoalKey", status, REMEDY);
    if (fault)
        say(fault);
    else if (!EFI_ERROR(status) && info->has_key && CompareMem(key, info->key, sizeof key) != 0)
        say("Shoal: the firmware keeps another cluster key; the one that was given is taken");
    else if (!EFI_ERROR(status) && !info->has_key) {
        CopyMem(info->key, key, sizeof key);
        info->has_key = 1;
        say("Shoal: the cluster key is the one that the firmware keeps");
    }
    ZeroMem(key, sizeof key);
}

void settle_key(const struct source *source, const struct blob *config, struct boot_info *info)
{
    /* What a server on the network says is no person's wish. */
    enum key_wish wish = source->door == 1 ? key_wish(config->base, config->bytes) : KEY_AS_IT_IS;
    if (wish == KEY_FORGET)
        forget();
    else if (wish == KEY_STORE && info->has_key)
        keep(info->key);
    else
        take_from_firmware(info);
}
