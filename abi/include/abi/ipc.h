/* Messages: the tag word, the register convention and the per-thread IPC buffer.
 *
 * call       in: rax=SYS_call rdi=endpoint rsi=tag rdx=deadline  r10 r8 r9 r12 r13 r14 = words 0..5
 *           out: rax=err rsi=tag of the answer, words as above
 * recv       in: rax=SYS_recv rdi=endpoint rdx=deadline
 *           out: rax=err rdi=Reply handle rsi=tag rdx=badge, words as above
 * reply      in: rax=SYS_reply rdi=Reply handle rsi=tag, words;  out: rax=err. The Reply handle is used up in any case.
 * reply_recv in: rax=SYS_reply_recv rdi=Reply handle rsi=tag rdx=deadline r15=endpoint, words; out: as recv
 *                (an error of the reply half is not reported: a caller that gave up is no business of the receiver)
 *
 * Inline bytes, handles and the lent Memory lie in the sender's IPC buffer and arrive in the receiver's. Handles are
 * duplicated into the receiver, except Reply handles, which move. On any error of call before delivery nothing moved.
 * A message's handles that find no room at the receiver make the call fail with E_FULL; nothing is delivered.
 */
#pragma once

#include <abi/types.h>

#define IPC_WORDS_MAX   6u
#define IPC_HANDLES_MAX 4u
#define IPC_BYTES_MAX   4096u
#define IPC_LENT_MAX    65536u /* length of a lent (Memory, offset, length, direction) argument */

/* The tag: op 0-15 | flags 16-23 | words 24-27 | handles 28-31 | bytes 32-47 | zero 48-63.
 * In an answer, op is the service's err_t. */
#define TAG(op, words, handles, bytes)                                                                                 \
    ((uint64_t)(op) | (uint64_t)(words) << 24 | (uint64_t)(handles) << 28 | (uint64_t)(bytes) << 32)
#define TAG_OP(tag)      ((uint32_t)((tag)&0xffff))
#define TAG_WORDS(tag)   ((uint32_t)((tag) >> 24 & 0xf))
#define TAG_HANDLES(tag) ((uint32_t)((tag) >> 28 & 0xf))
#define TAG_BYTES(tag)   ((uint32_t)((tag) >> 32 & 0xffff))

enum {
    TAG_LENT = 1u << 16,         /* sender: the buffer's lent_* fields are part of the message */
    TAG_REMOTE = 1u << 17,       /* kernel: from another node; the buffer's sender_* fields say which */
    TAG_NOTIFICATION = 1u << 18, /* kernel: word 0 = bits of the bound Notification; no Reply */
    TAG_KERNEL = 1u << 19,       /* kernel: op is an ipc_kernel_op; no Reply unless it is IPC_FAULT */
    TAG_FENCED = 1u << 20, /* sender: made under the lock whose handle is in the buffer's `lock`; receiver: the kernel
                              stamped the buffer's `fence` */
    TAG_SENDER_FLAGS = TAG_LENT | TAG_FENCED
};

/* By what right a call under a lock is made. Only the kernel of the lock's holder writes it. */
struct ipc_fence {
    uint64_t lock[2]; /* names the lock: a digest of its name */
    uint64_t value;   /* the fencing token of the grant; of two conflicting grants the later one's is higher */
    uint64_t shared;  /* 1: the lock is held shared, 0: exclusive */
};

/* Messages that the kernel itself sends. */
enum ipc_kernel_op {
    IPC_CLOSED = 1, /* no handle with badge `badge` is left anywhere; every mint is followed by exactly one */
    IPC_FAULT = 2   /* words: thread serial, fault kind, address, ip, error code; answer E_OK resumes, else it dies */
};

/* Bit of a Notification bound to an endpoint that the kernel sets when a caller gave up waiting for its answer
 * (it died, was interrupted, or its deadline passed): look for it with OP_REPLY_INFO on the Reply handles you keep. */
#define NOTIFY_REPLY_CANCELLED (1ull << 63)

enum ipc_lend { IPC_LEND_IN = 1 /* server reads */, IPC_LEND_OUT = 2 /* server writes */ };

/* Two pages, mapped read-write in the thread's process, at an address it chose or was given. The kernel reads it once
 * per send and never trusts it to stay the same. */
struct ipc_buffer {
    handle_t handles[IPC_HANDLES_MAX];
    /* A Memory lent for the time of the call. The sender fills in all four; the receiver finds length and direction,
     * and reaches the data with memory_rw on the Reply handle. */
    handle_t lent_memory;
    uint32_t lent_direction;
    uint64_t lent_offset;
    uint64_t lent_length;
    /* Stamped by the kernel when TAG_REMOTE is set. */
    uint64_t sender_node;
    uint64_t sender_boot;
    struct ipc_fence fence; /* receiver, with TAG_FENCED */
    handle_t lock;          /* sender, with TAG_FENCED: the handle that cluster.lock gave */
    uint8_t reserved[4096 - 92];
    uint8_t bytes[IPC_BYTES_MAX];
};
_Static_assert(sizeof(struct ipc_buffer) == 8192, "the IPC buffer is two pages");
_Static_assert(offsetof(struct ipc_buffer, bytes) == 4096, "inline bytes have a page of their own");

/* memory_rw(handle, offset, ptr, length, direction) -> bytes copied. direction: IPC_LEND_IN reads from the Memory into
 * ptr, IPC_LEND_OUT writes ptr's bytes to it. On a Reply, offset counts from the start of the lent range. For a caller
 * on another node, what lies between the first and the last byte written arrives in one piece: a gap left there becomes
 * zero. */
