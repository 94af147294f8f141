/* A program that does one thing, as its first word says. System calls for signals, not
 * the C library's: it keeps 32 and 33 to itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const unsigned long every = ~0UL;

static pid_t forked(void) {
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(1);
    }
    return pid;
}

static int file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

/* Writes the number of each signal that reaches it to a file, after the word ready. */
static void receive(const char *path) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, NULL, sizeof every);
    int log = file(path);
    dprintf(log, "ready\n");
    for (;;) {
        long number = syscall(SYS_rt_sigtimedwait, &every, NULL, NULL, sizeof every);
        if (number > 0)
            dprintf(log, "%ld\n", number);
    }
}

/* Ends of a signal, and leaves no core. */
static void die(int number) {
    prctl(PR_SET_DUMPABLE, 0);
    /* As the kernel has it: all zeros is the default. */
    unsigned long defaults[4] = {0};
    syscall(SYS_rt_sigaction, number, defaults, NULL, sizeof every);
    unsigned long none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
    kill(getpid(), number);
    exit(1);
}

/* Leaves orphans behind that have ended, or do at once; says so, and waits. */
static void orphans(int count, const char *path) {
    enum { AT_A_TIME = 500 };
    for (int made = 0; made < count; made += AT_A_TIME) {
        pid_t parent = forked();
        if (parent == 0) {
            for (int i = 0; i < AT_A_TIME && made + i < count; i++)
                if (forked() == 0)
                    _exit(0);
            _exit(0);
        }
        waitpid(parent, NULL, 0);
    }
    dprintf(file(path), "ready\n");
    for (;;)
        pause();
}

/* Ends together with its orphans: they read a pipe that only it can write to. */
static void together(int count, int code) {
    int line[2];
    char byte;
    if (pipe(line) != 0)
        exit(1);
    pid_t parent = forked();
    if (parent == 0) {
        for (int i = 0; i < count; i++)
            if (forked() == 0) {
                close(line[1]);
                _exit(read(line[0], &byte, 1) == 0 ? 0 : 1);
            }
        _exit(0);
    }
    waitpid(parent, NULL, 0);
    _exit(code);
}

static int code;

static void handled(int number) {
    (void)number;
    if (write(STDOUT_FILENO, "handled\n", 8) == 8)
        _exit(code);
}

/* Ends of TERM with a code of its own, once it is ready. */
static void handle(int number) {
    code = number;
    signal(SIGTERM, handled);
    if (write(STDOUT_FILENO, "ready\n", 6) == 6)
        for (;;)
            pause();
}

static volatile sig_atomic_t told;

static void note(int number) {
    (void)number;
    told = 1;
}

/* A shell with a trap that forks a command: until its exec, the child has the shell's handler,
 * which does nothing there. Reports the fork to a file, and ends with 0 after the signal. */
static void fork_late(const char *path) {
    const struct timespec until_exec = {0, 100000000};
    struct timespec rest;
    signal(SIGTERM, note);
    pid_t command = forked();
    if (command == 0) {
        dprintf(file(path), "forked\n");
        rest = until_exec;
        while (nanosleep(&rest, &rest) != 0)
            ;
        execlp("sleep", "sleep", "1000", NULL);
        _exit(127);
    }
    while (waitpid(command, NULL, 0) != command)
        ;
    exit(told ? 0 : 1);
}

/* Becomes another program whose environment has a name twice and a word without one. */
static void oddly(char **argv) {
    char *environment[] = {"Z=1", "A=2", "Z=3", "word", "EMPTY=", "=nameless", "B=\xff\n", "PATH=/usr/bin:/bin", NULL};
    execve(argv[0], argv, environment);
    perror(argv[0]);
    exit(1);
}

int main(int argc, char **argv) {
    const char *word = argc > 2 ? argv[1] : "";
    if (strcmp(word, "receive") == 0)
        receive(argv[2]);
    if (strcmp(word, "die") == 0)
        die(atoi(argv[2]));
    if (strcmp(word, "orphans") == 0)
        orphans(atoi(argv[2]), argv[3]);
    if (strcmp(word, "together") == 0)
        together(atoi(argv[2]), atoi(argv[3]));
    if (strcmp(word, "handle") == 0)
        handle(atoi(argv[2]));
    if (strcmp(word, "fork-late") == 0)
        fork_late(argv[2]);
    if (strcmp(word, "oddly") == 0)
        oddly(argv + 2);
    return 2;
}
