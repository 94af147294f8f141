/* Sends counters by UDP at a rate, and prints how many packets were sent and in how many
 * nanoseconds.
 *
 *   flood PORT PACKETS LINES RATE
 *
 * PACKETS packets of LINES lines each, RATE packets a second. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SERIES = 100, BATCH = 20, ROOM = 1432 };

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    long packets = atol(argv[2]), lines = atol(argv[3]), rate = atol(argv[4]);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int out = socket(AF_INET, SOCK_DGRAM, 0);
    if (out < 0 || connect(out, (struct sockaddr *)&to, sizeof to) != 0)
        return 1;

    /* Prepared, so that sending is all that is done. */
    static char text[SERIES][ROOM];
    struct iovec parts[SERIES];
    for (int packet = 0; packet < SERIES; packet++) {
        int used = 0;
        for (long line = 0; line < lines; line++)
            used += snprintf(text[packet] + used, ROOM - used, "bench.requests.%02ld:1|c\n",
                             (packet * lines + line) % SERIES);
        parts[packet] = (struct iovec){text[packet], used - 1};
    }

    long start = now(), sent = 0;
    while (sent < packets) {
        struct mmsghdr batch[BATCH];
        memset(batch, 0, sizeof batch);
        for (int n = 0; n < BATCH; n++) {
            batch[n].msg_hdr.msg_iov = &parts[(sent + n) % SERIES];
            batch[n].msg_hdr.msg_iovlen = 1;
        }
        int done = sendmmsg(out, batch, BATCH, 0);
        if (done > 0)
            sent += done;
        while ((now() - start) / 1000 * rate < sent * 1000000L)
            ;
    }
    printf("%ld %ld\n", sent, now() - start);
    return 0;
}
