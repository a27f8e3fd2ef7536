/* Files beside the loader: on the disk it was started from, or from the server it came from (pxe.c). */
#include "loader.h"

#define NAME_MAX       64
#define FILE_BYTES_MAX (1ull << 30)

static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
static EFI_GUID file_system_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
static EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

void source_find(struct source *source, EFI_HANDLE image)
{
    EFI_LOADED_IMAGE *loaded;
    EFI_FILE_IO_INTERFACE *volume;
    ZeroMem(source, sizeof *source);
    EFI_STATUS status = BS->HandleProtocol(image, &loaded_image_guid, (void **)&loaded);
    if (EFI_ERROR(status))
        stop_status("the firmware does not say where it was loaded from", "LoadedImage", status,
                    "report this firmware");
    source->device = loaded->DeviceHandle;
    if (pxe_find(source)) {
        source->door = 2;
        return;
    }
    source->door = 1;
    status = BS->HandleProtocol(source->device, &file_system_guid, (void **)&volume);
    if (!EFI_ERROR(status))
        status = volume->OpenVolume(volume, &source->root);
    if (EFI_ERROR(status))
        stop_status("there is neither a file system nor a PXE server behind the loader", "the boot device", status,
                    "start BOOTX64.EFI from a FAT disk or over PXE");
}

const char *source_text(const struct source *source)
{
    return source->door == 2 ? "the PXE server" : "the boot disk";
}

static EFI_STATUS file_size(EFI_FILE_HANDLE file, UINT64 *bytes_out)
{
    static UINT8 buffer[sizeof(EFI_FILE_INFO) + 256 * sizeof(CHAR16)];
    UINTN bytes = sizeof buffer;
    EFI_STATUS status = file->GetInfo(file, &file_info_guid, &bytes, buffer);
    *bytes_out = EFI_ERROR(status) ? 0 : ((EFI_FILE_INFO *)buffer)->FileSize;
    return status;
}

static EFI_STATUS read_whole(EFI_FILE_HANDLE file, struct blob *blob)
{
    UINT64 done = 0;
    while (done < blob->bytes) {
        UINTN piece = blob->bytes - done;
        EFI_STATUS status = file->Read(file, &piece, blob->base + done);
        if (EFI_ERROR(status))
            return status;
        if (piece == 0)
            return EFI_END_OF_FILE;
        done += piece;
    }
    return EFI_SUCCESS;
}

static bool disk_load(struct source *source, const char *name, struct blob *blob_out)
{
    CHAR16 path[NAME_MAX] = L"\\";
    EFI_FILE_HANDLE file;
    for (unsigned i = 0; name[i] && i + 2 < NAME_MAX; i++)
        path[i + 1] = (CHAR16)name[i];
    EFI_STATUS status = source->root->Open(source->root, &file, path, EFI_FILE_MODE_READ, 0);
    if (status == EFI_NOT_FOUND)
        return false;
    if (!EFI_ERROR(status))
        status = file_size(file, &blob_out->bytes);
    if (!EFI_ERROR(status) && blob_out->bytes > FILE_BYTES_MAX)
        status = EFI_BAD_BUFFER_SIZE;
    if (!EFI_ERROR(status)) {
        blob_out->base = pages_below_4g(blob_out->bytes + 1, EfiLoaderData);
        status = read_whole(file, blob_out);
        file->Close(file);
    }
    if (EFI_ERROR(status))
        stop_status("a file on the boot disk cannot be read", name, status, "write the disk anew");
    return true;
}

bool source_load(struct source *source, const char *name, struct blob *blob_out)
{
    return source->door == 2 ? pxe_load(source, name, blob_out) : disk_load(source, name, blob_out);
}
