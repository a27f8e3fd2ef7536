/* What tests/guest/call_server.c and call_client.c say to each other. Plain messages: the test is about calls, not
 * stubs. */
#pragma once

enum call_test_op {
    CALL_TEST_ADD = 1,   /* word 0: id, word 1: ms to take. The id is executed once more; -> how often it has been */
    CALL_TEST_COUNT = 2, /* word 0: id -> how often it was executed by this server */
    CALL_TEST_MOST = 3,  /* -> the highest such number, word 1: how many were executed at all */
    CALL_TEST_HANDLES =
        4, /* handles: an Endpoint, which is asked for a number, and a Notification, which is signalled */
    CALL_TEST_FORWARD = 5, /* handle: an Endpoint, which is given the Reply: whoever has it answers the caller */
    CALL_TEST_DROP = 6,    /* the Reply is let go of */
    CALL_TEST_LENT = 7     /* the lent range is read, each byte raised by one, and written back */
};

enum call_back_op { CALL_BACK_NUMBER = 20, CALL_BACK_REPLY = 21 /* handle: the Reply */ };

#define CALL_BACK_BITS    0x8000000000000005ull
#define CALL_BACK_ANSWER  42u
#define CALL_FORWARDED    77u
#define CALL_TEST_IDS_MAX 200000u
