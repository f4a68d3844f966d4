/* Loses what was never synced, as a power cut does. Loaded with LD_PRELOAD it lets all file operations through and keeps
 * beside them, in POWER_IMAGE, what a disk would have of the folder POWER_ROOT if the power went now:
 *
 *   content/INODE   a file's bytes at its last fsync or fdatasync
 *   tree/PATH       a hard link to one of these, for each name that is durable
 *   held/INODE      a hard link to a file that was removed, so that no new file gets its inode
 *
 * Of the readings that POSIX and ext4 allow the strict one is taken: a write, a change of size, a new name, a rename or a
 * removal is lost until it is synced; fsync and fdatasync of a file make its bytes durable, and its present name with the
 * folders above (ext4 commits the journal), fsync of a folder makes all of its names and removals durable.
 * sync_file_range promises nothing and is let through. A file without a sync in a folder with one is there and empty.
 *
 * With POWER_SWALLOW=1 fdatasync does nothing: the proof that such a loss is seen.
 * Not seen are mmap, copy_file_range and direct system calls; the store uses none of them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *root, *image;
static int swallow;
/* Held over an operation and what is remembered of it, so that no sync comes between the two. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_open)(const char *, int, ...);

__attribute__((constructor)) static void start(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_open = dlsym(RTLD_NEXT, "open64");
    image = getenv("POWER_IMAGE");
    root = getenv("POWER_ROOT");
    swallow = getenv("POWER_SWALLOW") != NULL;
    if (!image) root = NULL;
}

static void fail(const char *what, const char *path) {
    dprintf(2, "power.c: %s %s: %s\n", what, path, strerror(errno));
    abort();
}

/* What was written since the last sync, by inode. A file that this process has not synced yet is copied whole. */
struct range { off_t from, to; };
struct file {
    ino_t inode;
    int whole;
    size_t count, room;
    struct range *ranges;
    struct file *next;
};
static struct file *files;

static struct file *of(ino_t inode) {
    for (struct file *f = files; f; f = f->next)
        if (f->inode == inode) return f;
    struct file *f = calloc(1, sizeof *f);
    f->inode = inode, f->whole = 1, f->next = files;
    return files = f;
}

static void dirty(int fd, off_t from, ssize_t count) {
    struct stat is;
    if (count <= 0 || fstat(fd, &is)) return;
    struct file *f = of(is.st_ino);
    if (f->whole) return;
    if (f->count == f->room) {
        f->room = 2 * f->room + 16;
        f->ranges = realloc(f->ranges, f->room * sizeof *f->ranges);
    }
    f->ranges[f->count++] = (struct range){from, from + count};
}

static void dirty_whole(int fd) {
    struct stat is;
    if (!fstat(fd, &is)) of(is.st_ino)->whole = 1;
}

/* The path below the root, with its slash (the root itself: ""), or NULL. */
static const char *below(const char *path) {
    size_t n = root ? strlen(root) : 0;
    return root && !strncmp(path, root, n) && (path[n] == '/' || !path[n]) ? path + n : NULL;
}

static int ours(int fd, char path[PATH_MAX]) {
    if (!root) return 0;
    int before = errno;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    errno = before;
    if (n < 0) return 0;
    path[n] = 0;
    return below(path) != NULL;
}

static void content_path(char out[PATH_MAX], const char *kind, ino_t inode) {
    snprintf(out, PATH_MAX, "%s/%s/%lu", image, kind, (unsigned long)inode);
}

/* The durable form of a folder, with those above. */
static void make_folder(const char *rel) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tree%s", image, rel);
    for (char *at = path + strlen(image) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(path, 0755);
        *at = '/';
    }
    mkdir(path, 0755);
}

/* Makes a name durable that leads to this inode. */
static void make_name(const char *rel, ino_t inode) {
    char content[PATH_MAX], fresh[PATH_MAX], name[PATH_MAX];
    content_path(content, "content", inode);
    int fd = real_open(content, O_CREAT | O_WRONLY, 0644);
    if (fd < 0) fail("cannot make", content);
    close(fd);
    snprintf(fresh, sizeof fresh, "%s/fresh", image);
    snprintf(name, sizeof name, "%s/tree%s", image, rel);
    struct stat is, want;
    if (!stat(name, &is) && !stat(content, &want) && is.st_ino == want.st_ino) return;
    real_unlink(fresh);
    if (link(content, fresh) || real_rename(fresh, name)) fail("cannot name", name);
}

/* Removes from a durable folder what is not in the living one; only names of `inode` unless that is 0. */
static void forget_names(const char *rel, ino_t inode) {
    char folder[PATH_MAX], live[2 * PATH_MAX], name[2 * PATH_MAX], content[PATH_MAX];
    struct stat is, want = {0};
    content_path(content, "content", inode);
    if (inode && stat(content, &want)) return;
    snprintf(folder, sizeof folder, "%s/tree%s", image, rel);
    DIR *dir = opendir(folder);
    if (!dir) fail("cannot read", folder);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        snprintf(live, sizeof live, "%s%s/%s", root, rel, e->d_name);
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        if (!lstat(live, &is) || stat(name, &is) || S_ISDIR(is.st_mode)) continue;
        if (!inode || is.st_ino == want.st_ino) real_unlink(name);
    }
    closedir(dir);
}

static void sync_folder(const char *path) {
    const char *rel = below(path);
    char child[2 * PATH_MAX];
    make_folder(rel);
    DIR *dir = opendir(path);
    if (!dir) fail("cannot read", path);
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat is;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (lstat(child, &is)) continue;
        if (S_ISDIR(is.st_mode)) make_folder(below(child));
        if (S_ISREG(is.st_mode)) make_name(below(child), is.st_ino);
    }
    closedir(dir);
    forget_names(rel, 0);
}

static void copy(int from, int to, struct range part) {
    static char buffer[1 << 16];
    while (part.from < part.to) {
        size_t want = part.to - part.from < (off_t)sizeof buffer ? (size_t)(part.to - part.from) : sizeof buffer;
        ssize_t n = pread(from, buffer, want, part.from);
        if (n <= 0) return; /* cut off since */
        if (real_pwrite(to, buffer, n, part.from) != n) fail("cannot write in", image);
        part.from += n;
    }
}

static void sync_file(int fd, const char *path) {
    char content[PATH_MAX], folder[PATH_MAX], self[64];
    struct stat is, named;
    if (fstat(fd, &is)) return;
    struct file *f = of(is.st_ino);
    content_path(content, "content", is.st_ino);
    /* The descriptor may be for writing only, or for reading only. */
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int from = real_open(self, O_RDONLY | O_CLOEXEC), to = real_open(content, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (from < 0 || to < 0) fail("cannot open", content);
    if (real_ftruncate(to, is.st_size)) fail("cannot cut", content);
    if (f->whole) copy(from, to, (struct range){0, is.st_size});
    for (size_t i = 0; !f->whole && i < f->count; i++) copy(from, to, f->ranges[i]);
    f->whole = 0, f->count = 0;
    close(from), close(to);
    if (stat(path, &named) || named.st_ino != is.st_ino) return; /* removed since */
    snprintf(folder, sizeof folder, "%s", below(path));
    *strrchr(folder, '/') = 0;
    make_folder(folder);
    make_name(below(path), is.st_ino);
    forget_names(folder, is.st_ino);
}

static void make_durable(int fd, const char *path) {
    struct stat is;
    if (fstat(fd, &is)) return;
    if (S_ISDIR(is.st_mode)) sync_folder(path);
    if (S_ISREG(is.st_mode)) sync_file(fd, path);
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    if (!ours(fd, path)) return real_write(fd, data, size);
    pthread_mutex_lock(&lock);
    ssize_t n = real_write(fd, data, size);
    int why = errno;
    dirty(fd, lseek(fd, 0, SEEK_CUR) - n, n);
    errno = why;
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t writev(int fd, const struct iovec *data, int count) {
    char path[PATH_MAX];
    if (!ours(fd, path)) return real_writev(fd, data, count);
    pthread_mutex_lock(&lock);
    ssize_t n = real_writev(fd, data, count);
    int why = errno;
    dirty(fd, lseek(fd, 0, SEEK_CUR) - n, n);
    errno = why;
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
    char path[PATH_MAX];
    if (!ours(fd, path)) return real_pwrite(fd, data, size, at);
    pthread_mutex_lock(&lock);
    ssize_t n = real_pwrite(fd, data, size, at);
    int why = errno;
    dirty(fd, at, n);
    errno = why;
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int ftruncate64(int fd, off_t size) {
    char path[PATH_MAX];
    if (!ours(fd, path)) return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int done = real_ftruncate(fd, size);
    dirty_whole(fd);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    char at[PATH_MAX];
    pthread_mutex_lock(&lock);
    int fd = real_open(path, flags, mode);
    int why = errno;
    if (fd >= 0 && flags & O_TRUNC && ours(fd, at)) dirty_whole(fd);
    errno = why;
    pthread_mutex_unlock(&lock);
    return fd;
}

static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if (!ours(fd, path)) return real(fd);
    pthread_mutex_lock(&lock);
    int why = errno;
    make_durable(fd, path);
    errno = why;
    pthread_mutex_unlock(&lock);
    /* What the image says is what counts: the disk itself need not be waited for. */
    return 0;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) {
    char path[PATH_MAX];
    if (swallow && ours(fd, path)) return 0;
    return synced(fd, real_fdatasync);
}

/* Keeps the inode of a file that loses its name. */
static void hold(const char *path) {
    char full[PATH_MAX], held[PATH_MAX];
    struct stat is;
    if (!root || lstat(path, &is) || !S_ISREG(is.st_mode) || !realpath(path, full) || !below(full)) return;
    content_path(held, "held", is.st_ino);
    link(full, held);
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    hold(path);
    int done = real_unlink(path);
    int why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    hold(to);
    int done = real_rename(from, to);
    int why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}
