/* Preloaded into a process: its armed system call on files fails, or kills it before or after it is carried out. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FAIL, KILL_BEFORE, KILL_AFTER };

static long calls, armed; /* the armed-th call from now on; 0 is none */
static int fault, error_number;
static char names[4096]; /* of the calls that were made, each with a blank */

void faulty_arm(long at, int what, int number) {
    calls = 0, armed = at, fault = what, error_number = number, names[0] = 0;
}

long faulty_calls(void) { return calls; }

const char *faulty_names(void) { return names; }

static int now(const char *name) {
    calls++;
    if (strlen(names) + strlen(name) + 2 < sizeof names) strcat(strcat(names, name), " ");
    if (calls != armed) return 0;
    if (fault == KILL_BEFORE) kill(getpid(), SIGKILL);
    return 1;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

/* A partial write before the fault: half of what was asked for is on the disk. */
#define CALL(name, call, half)                                  \
    int hit = now(name);                                        \
    if (hit && fault == FAIL) { half; errno = error_number; return -1; } \
    if (hit && fault == KILL_AFTER) { call; kill(getpid(), SIGKILL); }   \
    return call;

ssize_t write(int file, const void *from, size_t count) {
    if (file <= 2) return REAL(write)(file, from, count);
    CALL("write", REAL(write)(file, from, count), (void)!REAL(write)(file, from, count / 2))
}
int fsync(int file) { CALL("fsync", REAL(fsync)(file), ) }
int syncfs(int file) { CALL("syncfs", REAL(syncfs)(file), ) }
int close(int file) { CALL("close", REAL(close)(file), REAL(close)(file)) }
int rename(const char *from, const char *to) { CALL("rename", REAL(rename)(from, to), ) }
int unlink(const char *path) { CALL("unlink", REAL(unlink)(path), ) }
int mkdir(const char *path, mode_t mode) { CALL("mkdir", REAL(mkdir)(path, mode), ) }

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    CALL("open", REAL(open)(path, flags, mode), )
}
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    CALL("open", REAL(open64)(path, flags, mode), )
}
int openat(int folder, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    CALL("open", REAL(openat)(folder, path, flags, mode), )
}
