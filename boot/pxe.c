/* Files from the PXE server. Sizes that PXE stacks tell are not to be relied on: some cannot tell one, some do not say
 * how much arrived. So files are read into more room than they need, zeroed before, and carry their own length. */
#include "loader.h"

#define BLOCK_BYTES             1468ull
#define UNKNOWN_ROOM_FIRST      (4ull << 20)
#define UNKNOWN_ROOM_LAST       (256ull << 20)
#define DHCP_SIADDR             20
#define DHCP_FILE               108
#define DHCP_FILE_BYTES         128
#define DHCP_OPTIONS            240
#define OPTION_SERVER           54
#define OPTION_TFTP_SERVER_NAME 66
#define OPTION_BOOTFILE         67

static EFI_GUID pxe_guid = EFI_PXE_BASE_CODE_PROTOCOL_GUID;
static EFI_GUID network_guid = EFI_SIMPLE_NETWORK_PROTOCOL_GUID;

/* A DHCP option's bytes, or NULL. */
static const UINT8 *option(const UINT8 *packet, UINTN packet_bytes, UINT8 code, UINT8 *length_out)
{
    for (UINTN at = DHCP_OPTIONS; at + 1 < packet_bytes && packet[at] != 255;) {
        if (packet[at] == 0) {
            at++;
            continue;
        }
        UINT8 length = packet[at + 1];
        if (at + 2 + length > packet_bytes)
            break;
        if (packet[at] == code) {
            *length_out = length;
            return packet + at + 2;
        }
        at += 2 + length;
    }
    return NULL;
}

/* "10.0.0.1" -> address. */
static bool parse_ipv4(const UINT8 *text, UINT8 length, UINT8 address[4])
{
    unsigned field = 0, value = 0, digits = 0;
    for (UINT8 i = 0; i <= length; i++) {
        if (i < length && text[i] >= '0' && text[i] <= '9') {
            value = value * 10 + (text[i] - '0');
            if (++digits > 3 || value > 255)
                return false;
        } else {
            if (!digits || field > 3)
                return false;
            address[field++] = (UINT8)value;
            value = digits = 0;
            if (i < length && text[i] != '.')
                break;
        }
    }
    return field == 4;
}

static bool is_set(const UINT8 *address)
{
    return address[0] || address[1] || address[2] || address[3];
}

/* siaddr, else the TFTP server's name if it is an address, else the DHCP server itself. */
static bool find_server(const UINT8 *packet, UINTN bytes, EFI_IP_ADDRESS *server)
{
    UINT8 length;
    const UINT8 *value;
    if (is_set(packet + DHCP_SIADDR)) {
        CopyMem(server->v4.Addr, packet + DHCP_SIADDR, 4);
        return true;
    }
    value = option(packet, bytes, OPTION_TFTP_SERVER_NAME, &length);
    if (value && parse_ipv4(value, length, server->v4.Addr))
        return true;
    value = option(packet, bytes, OPTION_SERVER, &length);
    if (value && length == 4 && is_set(value)) {
        CopyMem(server->v4.Addr, (void *)value, 4);
        return true;
    }
    return false;
}

/* The folder of the boot file on the server: the other files lie beside it. */
static void find_folder(const UINT8 *packet, UINTN bytes, CHAR8 *folder, UINTN folder_bytes)
{
    UINT8 length = 0;
    const UINT8 *name = option(packet, bytes, OPTION_BOOTFILE, &length);
    if (!name) {
        name = packet + DHCP_FILE;
        while (length < DHCP_FILE_BYTES && name[length])
            length++;
    }
    UINTN end = 0;
    for (UINTN i = 0; i < length && name[i]; i++)
        if (name[i] == '/' || name[i] == '\\')
            end = i + 1;
    if (end >= folder_bytes)
        end = 0;
    CopyMem(folder, (void *)name, end);
    folder[end] = 0;
}

bool pxe_find(struct source *source)
{
    if (EFI_ERROR(BS->HandleProtocol(source->device, &pxe_guid, (void **)&source->pxe)))
        return false;
    EFI_PXE_BASE_CODE_MODE *mode = source->pxe->Mode;
    if (!mode->Started || !mode->DhcpAckReceived || mode->UsingIpv6)
        return false;
    /* A proxy's answer names the boot server when DHCP and PXE are apart. */
    const UINT8 *ack = mode->DhcpAck.Raw, *boot = mode->PxeReplyReceived     ? mode->PxeReply.Raw
                                                  : mode->ProxyOfferReceived ? mode->ProxyOffer.Raw
                                                                             : ack;
    UINTN bytes = sizeof mode->DhcpAck;
    if (!find_server(boot, bytes, &source->server) && !find_server(ack, bytes, &source->server))
        stop("the DHCP answer names no boot server", "DHCP (next server, options 54 and 66)", "set next-server");
    find_folder(boot, bytes, source->folder, sizeof source->folder);
    return true;
}

static EFI_STATUS transfer(struct source *source, EFI_PXE_BASE_CODE_TFTP_OPCODE what, CHAR8 *path, void *to,
                           UINT64 *bytes)
{
    UINTN block = BLOCK_BYTES;
    UINT64 room = *bytes;
    EFI_STATUS status =
        source->pxe->Mtftp(source->pxe, what, to, FALSE, bytes, &block, &source->server, path, NULL, FALSE);
    if (status != EFI_SUCCESS && status != EFI_BUFFER_TOO_SMALL && status != EFI_UNSUPPORTED) {
        /* Some servers cannot do large blocks. */
        *bytes = room;
        status = source->pxe->Mtftp(source->pxe, what, to, FALSE, bytes, NULL, &source->server, path, NULL, FALSE);
    }
    return status;
}

/* EDK2 keeps only the high byte of the error's number, so that 1, "file not found", can arrive as 0; some builds do not
 * note the error in the mode at all. An answer with an error is then taken for what it nearly always is. */
static bool server_lacks_it(struct source *source, EFI_STATUS status)
{
    EFI_PXE_BASE_CODE_MODE *mode = source->pxe->Mode;
    return status == EFI_NOT_FOUND ||
           (status == EFI_TFTP_ERROR && (!mode->TftpErrorReceived || mode->TftpError.ErrorCode <= 1));
}

bool pxe_load(struct source *source, const char *name, struct blob *blob_out)
{
    CHAR8 path[256];
    UINT64 size = 0;
    UINTN folder = strlena(source->folder);
    CopyMem(path, source->folder, folder);
    CopyMem(path + folder, (void *)name, strlena((const CHAR8 *)name) + 1);

    EFI_STATUS status = transfer(source, EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, path, NULL, &size);
    UINT64 room = !EFI_ERROR(status) && size ? size + 1 : UNKNOWN_ROOM_FIRST;
    for (; room <= UNKNOWN_ROOM_LAST; room *= 2) {
        blob_out->base = try_pages_below_4g(room, EfiLoaderData);
        if (!blob_out->base)
            break;
        blob_out->bytes = room;
        status = transfer(source, EFI_PXE_BASE_CODE_TFTP_READ_FILE, path, blob_out->base, &blob_out->bytes);
        if (status == EFI_SUCCESS) {
            UINT64 arrived = blob_out->bytes < room ? blob_out->bytes : room - 1;
            blob_shrink(blob_out, room, arrived);
            return true;
        }
        BS->FreePages((UINT64)blob_out->base, (room + PAGE - 1) / PAGE);
        if (status != EFI_BUFFER_TOO_SMALL)
            break;
    }
    if (server_lacks_it(source, status))
        return false;
    stop_status("a file cannot be fetched from the PXE server", name, status,
                "look at the server's log; is the link good?");
}

void pxe_shut_down(struct source *source)
{
    EFI_SIMPLE_NETWORK *network;
    if (!source->pxe)
        return;
    source->pxe->Stop(source->pxe);
    if (!EFI_ERROR(BS->HandleProtocol(source->device, &network_guid, (void **)&network))) {
        network->Shutdown(network);
        network->Stop(network);
    }
}
