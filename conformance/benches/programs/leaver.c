/* Writes the time as its first act, waits for the end of its stdin, and writes the time
 * as its last act. */
#include <unistd.h>

#include "now.h"

static int stamp(void) {
    int64_t nanoseconds = now();
    return write(STDOUT_FILENO, &nanoseconds, sizeof nanoseconds) != sizeof nanoseconds;
}

int main(void) {
    char byte;
    if (stamp() != 0)
        return 1;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return stamp();
}
