/* A disk that is full while the file named by FULL_DISK_MARK exists: what would make a table's file longer finds no space.

   Loaded into Postgres by LD_PRELOAD, so that a test needs no right to mount anything. What is there already can be
   written again, as on a real disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int fd, off64_t end)
{
    const char *mark = getenv("FULL_DISK_MARK");
    char link[64], path[4096];
    struct stat64 about;
    int kept = errno, full = 0;
    ssize_t length;

    if (mark != NULL && access(mark, F_OK) == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
        full = strstr(path, "/base/") != NULL && fstat64(fd, &about) == 0 && end > about.st_size;
    }
    errno = full ? ENOSPC : kept;
    return full;
}

static off64_t bytes_of(const struct iovec *parts, int count)
{
    off64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += parts[i].iov_len;
    return sum;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name)) dlsym(RTLD_NEXT, #name)

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    REAL(pwrite64);
    return is_full(fd, at + (off64_t) count) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    return pwrite64(fd, bytes, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    REAL(pwritev64);
    return is_full(fd, at + bytes_of(parts, count)) ? -1 : real(fd, parts, count, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return pwritev64(fd, parts, count, at);
}

int posix_fallocate64(int fd, off64_t at, off64_t count)
{
    REAL(posix_fallocate64);
    return is_full(fd, at + count) ? ENOSPC : real(fd, at, count);
}

int posix_fallocate(int fd, off_t at, off_t count)
{
    return posix_fallocate64(fd, at, count);
}
