/* Writes a record for each signal that comes, with the time it came; the first one, of
 * signal 0, says that from now on none is missed. SIGTERM ends it. */
#include <signal.h>
#include <unistd.h>

#include "now.h"

struct record {
    int64_t number, nanoseconds;
};

int main(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int number = 0; number != SIGTERM; number = sigwaitinfo(&all, NULL)) {
        struct record record = {number, now()};
        if (write(STDOUT_FILENO, &record, sizeof record) != sizeof record)
            return 1;
    }
}
