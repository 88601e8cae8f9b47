/* A DynamoDB that does nothing, fast: the other side of every figure in RESULTS.md.
 *
 *   server --port-file FILE [--pages DIR] [--table FILE] [--delay-ms N] [--cert PEM --key PEM]
 *
 * BatchWriteItem  answers {"UnprocessedItems":{}} and counts the items it was sent.
 * Scan            replays the recorded pages of DIR (bench/pages.py writes them), shared out evenly among the
 *                 segments asked for; the last page of a segment has no LastEvaluatedKey.
 * DescribeTable   answers the file given with --table (clients ask it before they work); likewise the calls that
 *                 make, change or delete a table.
 * GET /stats      what was served since the last GET /reset, and the CPU seconds this process needed for it.
 *
 * Every answer has its exact Content-Length and x-amz-crc32. One thread, epoll, HTTP/1.1 with keep-alive, bound
 * to 127.0.0.1 only; it ends with the process that started it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
static SSL_CTX *tls;
#endif

enum { MAX_HEAD = 64 * 1024, MAX_BODY = 20 * 1024 * 1024, READ_SIZE = 256 * 1024, MAX_EVENTS = 256 };

struct buffer { char *data; size_t length, capacity; };
struct connection {
    int fd, wants_write, handshaken, queued;
    int64_t due_us;
    struct buffer in, out;
    size_t sent;
    struct connection *next;
#ifdef WITH_TLS
    SSL *ssl;
#endif
};
struct page { const char *body; size_t length; char *token; char *key; int count; uint32_t crc; };

static struct { uint64_t requests, items, bytes_in, bytes_out; } stats;
static struct page *pages;
static int page_count, epoll_fd;
static int64_t delay_us;
static struct buffer table;
static struct connection *delayed_first, *delayed_last;
static uint32_t crc_table[8][256];

static void die(const char *what) {
    fprintf(stderr, "server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static double cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* CRC-32 as in zlib, eight bytes at a time. */
static void crc_init(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        crc_table[0][i] = c;
    }
    for (int t = 1; t < 8; t++)
        for (int i = 0; i < 256; i++)
            crc_table[t][i] = (crc_table[t - 1][i] >> 8) ^ crc_table[0][crc_table[t - 1][i] & 255];
}

static uint32_t crc_add(uint32_t crc, const void *data, size_t length) {
    const unsigned char *p = data;
    crc = ~crc;
    for (; length >= 8; length -= 8, p += 8) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + 4, 4);
        a ^= crc;
        crc = crc_table[7][a & 255] ^ crc_table[6][a >> 8 & 255] ^ crc_table[5][a >> 16 & 255] ^ crc_table[4][a >> 24]
            ^ crc_table[3][b & 255] ^ crc_table[2][b >> 8 & 255] ^ crc_table[1][b >> 16 & 255] ^ crc_table[0][b >> 24];
    }
    while (length--) crc = crc_table[0][(crc ^ *p++) & 255] ^ (crc >> 8);
    return ~crc;
}

static void reserve(struct buffer *b, size_t more) {
    if (b->length + more <= b->capacity) return;
    size_t wanted = b->capacity ? b->capacity : 4096;
    while (wanted < b->length + more) wanted *= 2;
    if (!(b->data = realloc(b->data, wanted))) die("out of memory");
    b->capacity = wanted;
}

static void append(struct buffer *b, const void *data, size_t length) {
    reserve(b, length);
    memcpy(b->data + b->length, data, length);
    b->length += length;
}

static struct buffer read_file(const char *path) {
    struct buffer b = {0};
    int fd = open(path, O_RDONLY);
    if (fd < 0) die(path);
    ssize_t got;
    do {
        reserve(&b, READ_SIZE);
        if ((got = read(fd, b.data + b.length, READ_SIZE)) < 0) die(path);
        b.length += (size_t)got;
    } while (got > 0);
    close(fd);
    reserve(&b, 1);
    b.data[b.length] = 0;
    return b;
}

/* DIR/bodies holds the pages' JSON one after another, each without its closing brace; a line of DIR/index is
 * length, item count, a text that occurs only in this page's key, and the key as JSON, separated by tabs. */
static void load_pages(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/bodies", folder);
    int fd = open(path, O_RDONLY);
    struct stat info;
    if (fd < 0 || fstat(fd, &info)) die(path);
    const char *bodies = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (bodies == MAP_FAILED) die(path);
    snprintf(path, sizeof path, "%s/index", folder);
    struct buffer index = read_file(path);
    for (char *line = index.data, *rest; *line; line = rest) {
        rest = strchrnul(line, '\n');
        if (*rest) *rest++ = 0;
        char *length = strsep(&line, "\t"), *count = strsep(&line, "\t"), *token = strsep(&line, "\t");
        if (!token || !line) die("index: malformed line");
        if (!(pages = realloc(pages, sizeof *pages * (size_t)(page_count + 1)))) die("out of memory");
        struct page *p = &pages[page_count++];
        *p = (struct page){.body = bodies, .length = strtoul(length, NULL, 10), .token = token, .key = line,
                           .count = atoi(count)};
        p->crc = crc_add(0, p->body, p->length);
        bodies += p->length;
    }
}

static void respond(struct connection *c, int status, const char *a, size_t a_length, uint32_t a_crc, const char *b) {
    char head[256];
    size_t b_length = strlen(b);
    uint32_t crc = crc_add(a_crc, b, b_length);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %zu\r\n"
                     "x-amz-crc32: %u\r\nx-amzn-RequestId: BENCH%010llu\r\n\r\n",
                     status, status == 200 ? "OK" : "Bad Request", a_length + b_length, crc,
                     (unsigned long long)stats.requests);
    append(&c->out, head, (size_t)n);
    append(&c->out, a, a_length);
    append(&c->out, b, b_length);
    stats.bytes_out += a_length + b_length;
}

static void respond_text(struct connection *c, int status, const char *text) { respond(c, status, "", 0, 0, text); }

static int has(const char *body, size_t length, const char *text) {
    return memmem(body, length, text, strlen(text)) != NULL;
}

static long number_after(const char *body, size_t length, const char *name, long otherwise) {
    const char *at = memmem(body, length, name, strlen(name)), *end = body + length;
    if (!at) return otherwise;
    for (at += strlen(name); at < end && (*at == '"' || *at == ':' || *at == ' '); at++) {}
    return at < end && *at >= '0' && *at <= '9' ? strtol(at, NULL, 10) : otherwise;
}

/* memchr reads 32 bytes at a time; the letter is rare in items. This is the larger part of what the server does itself. */
static int count_puts(const char *body, size_t length) {
    static const char put[] = "\"PutRequest\"";
    const char *end = body + length;
    int items = 0;
    for (const char *at = body; (at = memchr(at, 'P', (size_t)(end - at))); at++)
        if (at > body && (size_t)(end - at) >= sizeof put - 2 && !memcmp(at - 1, put, sizeof put - 1)) items++;
    return items;
}

static void batch_write(struct connection *c, const char *body, size_t length) {
    char text[160];
    int items = count_puts(body, length);
    /* It stands before or behind the items. */
    size_t edge = length < 1024 ? length : 1024;
    stats.items += (uint64_t)items;
    if (!items) {
        respond_text(c, 400, "{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"no items\"}");
        return;
    }
    if (has(body, edge, "ReturnConsumedCapacity") || has(body + length - edge, edge, "ReturnConsumedCapacity")) {
        /* Each item takes the units of its own size rounded up to 1 KB; the mean stands for all of them. */
        double units = items * (double)((length / (size_t)items + 1023) / 1024);
        snprintf(text, sizeof text,
                 "{\"UnprocessedItems\":{},\"ConsumedCapacity\":[{\"TableName\":\"bench\",\"CapacityUnits\":%.1f}]}", units);
        respond_text(c, 200, text);
    } else {
        respond_text(c, 200, "{\"UnprocessedItems\":{}}");
    }
}

static void scan(struct connection *c, const char *body, size_t length) {
    long segments = number_after(body, length, "\"TotalSegments\"", 1);
    long segment = number_after(body, length, "\"Segment\"", 0);
    const char *start = memmem(body, length, "\"ExclusiveStartKey\"", 19);
    char tail[1024], capacity[128] = "", key[768] = "";
    if (segments < 1 || segment < 0 || segment >= segments) {
        respond_text(c, 400, "{\"__type\":\"com.amazon.coral.validate#ValidationException\",\"message\":\"segment\"}");
        return;
    }
    int first = (int)(page_count * segment / segments), end = (int)(page_count * (segment + 1) / segments), at = first;
    for (int i = first; start && i < end; i++)
        if (has(start, (size_t)(body + length - start), pages[i].token)) at = i + 1;
    if (at >= end) {
        respond_text(c, 200, "{\"Count\":0,\"ScannedCount\":0,\"Items\":[],"
                             "\"ConsumedCapacity\":{\"TableName\":\"bench\",\"CapacityUnits\":0.5}}");
        return;
    }
    const struct page *p = &pages[at];
    if (has(body, length, "ReturnConsumedCapacity"))
        snprintf(capacity, sizeof capacity, ",\"ConsumedCapacity\":{\"TableName\":\"bench\",\"CapacityUnits\":%.1f}",
                 (double)(p->length / 8192) + 1);
    if (at + 1 < end) snprintf(key, sizeof key, ",\"LastEvaluatedKey\":%s", p->key);
    snprintf(tail, sizeof tail, "%s%s}", capacity, key);
    stats.items += (uint64_t)p->count;
    respond(c, 200, p->body, p->length, p->crc, tail);
}

static void tell(struct connection *c, int reset) {
    static double cpu_at_reset;
    char text[256];
    snprintf(text, sizeof text, "{\"requests\":%llu,\"items\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu,\"cpu_s\":%.6f}",
             (unsigned long long)stats.requests, (unsigned long long)stats.items, (unsigned long long)stats.bytes_in,
             (unsigned long long)stats.bytes_out, cpu_s() - cpu_at_reset);
    if (reset) {
        memset(&stats, 0, sizeof stats);
        cpu_at_reset = cpu_s();
    }
    respond_text(c, 200, text);
}

/* `head` ends with an empty line and a NUL. */
static void handle(struct connection *c, char *head, const char *body, size_t length) {
    char *target = strcasestr(head, "\r\nx-amz-target:"), *operation = target ? strchr(target, '.') : NULL;
    if (!strncmp(head, "GET /stats", 10) || !strncmp(head, "GET /reset", 10)) {
        tell(c, head[5] == 'r');
        return;
    }
    stats.requests++;
    stats.bytes_in += length;
    if (!operation) respond_text(c, 400, "{\"__type\":\"UnknownOperationException\",\"message\":\"no target\"}");
    else if (!strncmp(operation, ".BatchWriteItem", 15)) batch_write(c, body, length);
    else if (!strncmp(operation, ".Scan", 5)) scan(c, body, length);
    else if (!strncmp(operation, ".ListTables", 11)) respond_text(c, 200, "{\"TableNames\":[\"bench\"]}");
    else if (table.length && strstr(operation, "Table\r\n")) {
        struct buffer text = {0};
        int describes = !strncmp(operation, ".Describe", 9);
        append(&text, describes ? "{\"Table\":" : "{\"TableDescription\":", describes ? 9 : 20);
        append(&text, table.data, table.length);
        append(&text, "}", 2);
        respond_text(c, 200, text.data);
        free(text.data);
    } else respond_text(c, 400, "{\"__type\":\"UnknownOperationException\",\"message\":\"not served here\"}");
}

/* Handles the first whole request in the buffer: 1 done, 0 not there yet, -1 not HTTP. */
static int take_request(struct connection *c) {
    char *head = c->in.data, *end = c->in.length ? memmem(head, c->in.length, "\r\n\r\n", 4) : NULL;
    if (!end) return c->in.length > MAX_HEAD ? -1 : 0;
    size_t head_length = (size_t)(end - head) + 4;
    char kept = end[3];
    end[3] = 0; /* the head is a string from here on: "…\r\n\r" */
    char *length_at = strcasestr(head, "\r\ncontent-length:");
    size_t length = length_at ? strtoul(length_at + 17, NULL, 10) : 0, whole = head_length + length;
    if (length > MAX_BODY) return -1;
    if (c->in.length < whole) {
        if (c->in.length == head_length && strcasestr(head, "\r\nexpect: 100-continue"))
            append(&c->out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        end[3] = kept;
        reserve(&c->in, whole - c->in.length);
        return 0;
    }
    handle(c, head, head + head_length, length);
    memmove(c->in.data, c->in.data + whole, c->in.length - whole);
    c->in.length -= whole;
    return 1;
}

static ssize_t low_read(struct connection *c, void *data, size_t length) {
#ifdef WITH_TLS
    if (c->ssl) {
        ERR_clear_error();
        int got = SSL_read(c->ssl, data, (int)length), why = got > 0 ? 0 : SSL_get_error(c->ssl, got);
        if (got > 0) return got;
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) errno = EAGAIN;
        else errno = ECONNRESET;
        return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
    }
#endif
    return read(c->fd, data, length);
}

static ssize_t low_write(struct connection *c, const void *data, size_t length) {
#ifdef WITH_TLS
    if (c->ssl) {
        ERR_clear_error();
        int put = SSL_write(c->ssl, data, (int)length), why = put > 0 ? 0 : SSL_get_error(c->ssl, put);
        if (put > 0) return put;
        errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
        return -1;
    }
#endif
    return send(c->fd, data, length, MSG_NOSIGNAL);
}

static void leave(struct connection *c) {
    struct connection **at = &delayed_first;
    while (c->queued && *at && *at != c) at = &(*at)->next;
    if (c->queued && *at) {
        *at = c->next;
        if (delayed_last == c)
            for (delayed_last = delayed_first; delayed_last && delayed_last->next; delayed_last = delayed_last->next) {}
    }
#ifdef WITH_TLS
    if (c->ssl) SSL_free(c->ssl);
#endif
    close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

static void watch(struct connection *c, int wants_write) {
    if (c->wants_write == wants_write) return;
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event)) die("epoll_ctl");
    c->wants_write = wants_write;
}

/* 0 while the connection lives. */
static int flush(struct connection *c) {
    while (c->sent < c->out.length) {
        ssize_t put = low_write(c, c->out.data + c->sent, c->out.length - c->sent);
        if (put < 0 && errno != EAGAIN) return -1;
        if (put < 0) {
            watch(c, 1);
            return 0;
        }
        c->sent += (size_t)put;
    }
    c->sent = c->out.length = 0;
    watch(c, 0);
    return 0;
}

/* Answers what is whole; with a delay, one request at a time, as a client that waits for its answer sees it. */
static int work(struct connection *c) {
    while (!c->queued && !c->out.length) {
        int taken = take_request(c);
        if (taken < 0) return -1;
        if (!taken && !c->out.length) return 0;
        if (taken && delay_us) {
            c->due_us = now_us() + delay_us;
            c->queued = 1;
            c->next = NULL;
            if (delayed_last) delayed_last->next = c;
            else delayed_first = c;
            delayed_last = c;
            return 0;
        }
        if (flush(c)) return -1;
    }
    return 0;
}

static int receive(struct connection *c) {
#ifdef WITH_TLS
    if (c->ssl && !c->handshaken) {
        ERR_clear_error();
        int done = SSL_accept(c->ssl), why = done == 1 ? 0 : SSL_get_error(c->ssl, done);
        if (done != 1) return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
        c->handshaken = 1;
    }
#endif
    for (;;) {
        reserve(&c->in, READ_SIZE + 1);
        size_t room = c->in.capacity - c->in.length - 1;
        ssize_t got = low_read(c, c->in.data + c->in.length, room);
        if (got < 0 && errno == EAGAIN) return 0;
        if (got <= 0) return -1;
        c->in.length += (size_t)got;
        if (work(c)) return -1;
        if (c->in.length > MAX_BODY + MAX_HEAD) return -1;
#ifdef WITH_TLS
        if (c->ssl) continue; /* OpenSSL may hold more that the socket no longer tells of */
#endif
        if ((size_t)got < room) return 0;
    }
}

static void release_due(void) {
    int64_t now = now_us();
    while (delayed_first && delayed_first->due_us <= now) {
        struct connection *c = delayed_first;
        if (!(delayed_first = c->next)) delayed_last = NULL;
        c->queued = 0;
        if (flush(c) || work(c)) leave(c);
    }
}

static void accept_all(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *c = calloc(1, sizeof *c);
        if (!c) die("out of memory");
        c->fd = fd;
#ifdef WITH_TLS
        if (tls) {
            if (!(c->ssl = SSL_new(tls)) || !SSL_set_fd(c->ssl, fd)) die("TLS");
            SSL_set_accept_state(c->ssl);
        }
#endif
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
    }
}

static void use_tls(const char *cert, const char *key) {
#ifdef WITH_TLS
    if (!(tls = SSL_CTX_new(TLS_server_method())) || SSL_CTX_use_certificate_chain_file(tls, cert) != 1
        || SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
#else
    fprintf(stderr, "server: built without OpenSSL's headers, so it cannot serve TLS (%s, %s)\n", cert, key);
    exit(3);
#endif
}

static int listen_here(const char *port_file) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 512)
        || getsockname(listener, (struct sockaddr *)&address, &length))
        die("listen");
    char draft[4096];
    snprintf(draft, sizeof draft, "%s.new", port_file);
    FILE *file = fopen(draft, "w");
    if (!file || fprintf(file, "%d\n", ntohs(address.sin_port)) < 0 || fclose(file) || rename(draft, port_file))
        die(port_file);
    return listener;
}

static void serve(int listener) {
    struct epoll_event events[MAX_EVENTS], event = {.events = EPOLLIN, .data.ptr = NULL};
    if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event))
        die("epoll");
    for (;;) {
        int64_t wait_us = delayed_first ? delayed_first->due_us - now_us() : -1;
        int timeout = !delayed_first ? -1 : wait_us <= 0 ? 0 : (int)((wait_us + 999) / 1000);
        int n = epoll_wait(epoll_fd, events, MAX_EVENTS, timeout);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) accept_all(listener);
            else if ((events[i].events & EPOLLOUT && (flush(c) || work(c))) || (events[i].events & ~EPOLLOUT && receive(c)))
                leave(c);
        }
        release_due();
    }
}

int main(int argc, char **argv) {
    const char *port_file = NULL, *cert = NULL, *key = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port-file")) port_file = argv[i + 1];
        else if (!strcmp(argv[i], "--pages")) { crc_init(); load_pages(argv[i + 1]); }
        else if (!strcmp(argv[i], "--table")) table = read_file(argv[i + 1]);
        else if (!strcmp(argv[i], "--delay-ms")) delay_us = atol(argv[i + 1]) * 1000;
        else if (!strcmp(argv[i], "--cert")) cert = argv[i + 1];
        else if (!strcmp(argv[i], "--key")) key = argv[i + 1];
        else port_file = NULL, i = argc;
    }
    if (!port_file || argc % 2 == 0) {
        fprintf(stderr, "usage: server --port-file FILE [--pages DIR] [--table FILE] [--delay-ms N] [--cert PEM --key PEM]\n");
        return 2;
    }
    crc_init();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    if (cert && key) use_tls(cert, key);
    serve(listen_here(port_file));
}
