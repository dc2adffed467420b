/* Runs commands in the guest for the host, over a virtio port: it works with the network gone, and with the disk dead.
 *
 * A frame is a length, a number that the host chose, and a kind, each in 32 bits, most significant byte first, then as many bytes
 * as the length says. The host sends RUN (a command line, a zero byte, what the command reads) and KILL. We answer OUTPUT as
 * it comes and then END with the exit status in four bytes, 128 + N for signal N; and HELLO when we begin, so that the host
 * knows which answers will not come any more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN = 1, KILL = 2, OUTPUT = 3, END = 4, HELLO = 5 };
enum { MOST = 24, LARGEST = 4 << 20 };

struct command {
    uint32_t number;
    pid_t pid;
    int output; /* -1: the slot is free */
};

static struct command commands[MOST];
static int port;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* Waits until the port can be written or read: the host may not be there yet. */
static void await(short events) {
    struct pollfd wait = {port, events, 0};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        continue;
    if (!(wait.revents & events))
        usleep(50000);
}

static void write_all(const void *from, size_t length) {
    const char *at = from;
    while (length > 0) {
        ssize_t wrote = write(port, at, length);
        if (wrote <= 0) {
            if (wrote < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
                fail("write");
            await(POLLOUT);
            continue;
        }
        at += wrote;
        length -= wrote;
    }
}

static void read_all(void *to, size_t length) {
    char *at = to;
    while (length > 0) {
        ssize_t got = read(port, at, length);
        if (got <= 0) {
            if (got < 0 && errno != EAGAIN && errno != EINTR)
                fail("read");
            await(POLLIN);
            continue;
        }
        at += got;
        length -= got;
    }
}

static void answer(uint32_t number, uint32_t kind, const void *bytes, uint32_t length) {
    uint32_t head[3] = {htonl(length), htonl(number), htonl(kind)};
    write_all(head, sizeof head);
    write_all(bytes, length);
}

static void ended(uint32_t number, int status) {
    uint32_t code = htonl(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    answer(number, END, &code, sizeof code);
}

/* What a command reads lies in memory: a pipe would have to be fed while the others run. */
static int input_of(const char *bytes, size_t length) {
    int file = memfd_create("input", MFD_CLOEXEC);
    while (file >= 0 && length > 0) {
        ssize_t wrote = write(file, bytes, length);
        if (wrote <= 0)
            return -1;
        bytes += wrote;
        length -= wrote;
    }
    if (file >= 0)
        lseek(file, 0, SEEK_SET);
    return file;
}

static void become(const char *line, int input, int output) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

static struct command *free_slot(void) {
    for (int i = 0; i < MOST; i++)
        if (commands[i].output < 0)
            return &commands[i];
    return NULL;
}

static void refuse(uint32_t number, const char *why) {
    answer(number, OUTPUT, why, strlen(why));
    ended(number, 126 << 8);
}

static void start(uint32_t number, const char *line, const char *input, size_t length) {
    struct command *slot = free_slot();
    int ends[2], file = input_of(input, length);
    if (!slot || file < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        if (file >= 0)
            close(file);
        refuse(number, slot ? "agent: no memory\n" : "agent: too many commands at once\n");
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(line, file, ends[1]);
    close(file);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        refuse(number, "agent: no process\n");
        return;
    }
    *slot = (struct command){number, pid, ends[0]};
}

static void kill_command(uint32_t number) {
    for (int i = 0; i < MOST; i++)
        if (commands[i].output >= 0 && commands[i].number == number)
            kill(-commands[i].pid, SIGKILL);
}

static void take_frame(void) {
    uint32_t head[3];
    read_all(head, sizeof head);
    uint32_t length = ntohl(head[0]), number = ntohl(head[1]), kind = ntohl(head[2]);
    char *bytes = length <= LARGEST ? malloc(length + 1) : NULL;
    if (!bytes)
        fail("a frame that is too large");
    read_all(bytes, length);
    bytes[length] = 0;
    if (kind == RUN) {
        size_t line = strlen(bytes);
        start(number, bytes, bytes + line + 1, line < length ? length - line - 1 : 0);
    } else if (kind == KILL) {
        kill_command(number);
    }
    free(bytes);
}

/* The command's output, or its end, once nobody holds the pipe any more: also not a child that it left behind. */
static void pass_on(struct command *command) {
    static char buffer[16384];
    int status;
    ssize_t got = read(command->output, buffer, sizeof buffer);
    if (got > 0) {
        answer(command->number, OUTPUT, buffer, got);
        return;
    }
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    close(command->output);
    command->output = -1;
    while (waitpid(command->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    ended(command->number, status);
}

int main(int count, char **words) {
    if (count != 2) {
        fputs("agent PORT\n", stderr);
        return 64;
    }
    for (int i = 0; i < MOST; i++)
        commands[i].output = -1;
    signal(SIGPIPE, SIG_IGN);
    port = open(words[1], O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (port < 0)
        fail(words[1]);
    mlockall(MCL_CURRENT);
    answer(0, HELLO, "", 0);
    for (;;) {
        struct pollfd waits[MOST + 1] = {{port, POLLIN, 0}};
        for (int i = 0; i < MOST; i++)
            waits[i + 1] = (struct pollfd){commands[i].output, POLLIN, 0};
        if (poll(waits, MOST + 1, -1) < 0)
            continue;
        for (int i = 0; i < MOST; i++)
            if (waits[i + 1].revents)
                pass_on(&commands[i]);
        if (waits[0].revents & POLLIN)
            take_frame();
        else if (waits[0].revents)
            usleep(50000); /* the host is away */
    }
}
