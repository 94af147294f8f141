/* Leaves COUNT ended orphans to PID 1 and waits until it has reaped them:
 *
 *   orphans stream COUNT   each by a parent of its own, which ends (a double fork)
 *   orphans burst COUNT    all by one parent, which ends when all of them have
 *
 * Prints the nanoseconds until the last one was reaped, counted from the first fork
 * (stream) or from the end of the parent (burst); the nanoseconds of processor time that
 * PID 1 took meanwhile; and how many zombies it has left. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "now.h"

static const int64_t DEADLINE = 20 * 1000000000LL;

/* Written by the parents of the orphans, read by the first of these processes. */
static struct shared {
    int64_t start, processor;
    pid_t orphans[];
} *shared;

/* PID 1's processor time: the first number of its schedstat. */
static int64_t processor(void) {
    long long nanoseconds = 0;
    FILE *schedstat = fopen("/proc/1/schedstat", "r");
    if (schedstat == NULL || fscanf(schedstat, "%lld", &nanoseconds) != 1) {
        perror("orphans: cannot read /proc/1/schedstat");
        exit(1);
    }
    fclose(schedstat);
    return nanoseconds;
}

static void start(void) {
    shared->processor = processor();
    shared->start = now();
}

static pid_t forked(void) {
    pid_t pid = fork();
    if (pid < 0) {
        perror("orphans: cannot fork");
        exit(1);
    }
    return pid;
}

static void ended(pid_t parent) {
    int status;
    if (waitpid(parent, &status, 0) != parent || status != 0)
        exit(1);
}

static void stream(int count) {
    start();
    for (int i = 0; i < count; i++) {
        pid_t parent = forked();
        if (parent == 0) {
            pid_t orphan = forked();
            if (orphan != 0)
                shared->orphans[i] = orphan;
            _exit(0);
        }
        ended(parent);
    }
}

static void burst(int count) {
    pid_t parent = forked();
    if (parent == 0) {
        for (int i = 0; i < count; i++) {
            pid_t orphan = forked();
            if (orphan == 0)
                _exit(0);
            shared->orphans[i] = orphan;
        }
        siginfo_t info;
        for (int i = 0; i < count; i++)
            if (waitid(P_PID, shared->orphans[i], &info, WEXITED | WNOWAIT) != 0)
                _exit(1);
        start();
        _exit(0);
    }
    ended(parent);
}

/* One look at a pid costs the kernel next to nothing, and PID 1 no lock it needs; a
 * walk through /proc, or a look at a process group, would be paid for by PID 1. */
static void reaped(int count) {
    const struct timespec pause = {0, 200000};
    int64_t deadline = now() + DEADLINE;
    for (int i = 0; i < count; i++)
        while (kill(shared->orphans[i], 0) == 0 && now() < deadline)
            nanosleep(&pause, NULL);
}

static int zombies(void) {
    int found = 0;
    DIR *processes = opendir("/proc");
    if (processes == NULL) {
        perror("orphans: cannot list /proc");
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        char path[300], state;
        int parent;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *stat = fopen(path, "r");
        if (stat == NULL)
            continue;
        if (fscanf(stat, "%*d (%*[^)]) %c %d", &state, &parent) == 2)
            found += state == 'Z' && parent == 1;
        fclose(stat);
    }
    closedir(processes);
    return found;
}

int main(int argc, char **argv) {
    int count = argc == 3 ? atoi(argv[2]) : 0;
    if (count <= 0)
        return 2;
    shared = mmap(NULL, sizeof *shared + count * sizeof(pid_t), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    if (strcmp(argv[1], "stream") == 0)
        stream(count);
    else
        burst(count);
    reaped(count);
    int64_t elapsed = now() - shared->start;
    int64_t own = processor() - shared->processor;
    printf("%lld %lld %d\n", (long long)elapsed, (long long)own, zombies());
    return 0;
}
