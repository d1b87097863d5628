/* A stand-in for WeCom's finance SDK: the same seventeen functions, over a folder of its own.

   Our own code, and nothing of WeCom's. The secret is the folder; in it stands rows.bin: for each
   row its seq (8 bytes, little endian), the lengths of its JSON (4), and the JSON. A message is
   "opened" where its key is the one that stands before the first colon: "KEY:hex of plaintext".
   Media stand in files named by their id.

   The file "faults" has lines: a function, a number n and what to do (crash, hang, fail) at every
   n-th call of it, counted over all processes in "calls.FUNCTION"; "poison crash" does it at every
   message whose plaintext has the word POISON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/file.h>

typedef struct WeWorkFinanceSdk_t { char folder[512]; int ready; } WeWorkFinanceSdk_t;
typedef struct Slice_t { char *buf; int len; } Slice_t;
typedef struct MediaData {
  char *outindexbuf; int out_len; char *data; int data_len; int is_finish;
} MediaData_t;

static char the_folder[512];

static void put(Slice_t *slice, const char *data, int length) {
  free(slice->buf);
  slice->buf = malloc(length + 1);
  memcpy(slice->buf, data, length);
  slice->buf[length] = 0;
  slice->len = length;
}

static long count(const char *function) {
  char path[700], text[32] = "";
  snprintf(path, sizeof path, "%s/calls.%s", the_folder, function);
  int file = open(path, O_RDWR | O_CREAT, 0600);
  flock(file, LOCK_EX);
  long calls = read(file, text, sizeof text - 1) > 0 ? atol(text) + 1 : 1;
  int length = snprintf(text, sizeof text, "%ld", calls);
  pwrite(file, text, length, 0);
  close(file);
  return calls;
}

static int act(const char *what) {
  if (!strcmp(what, "crash")) abort();
  if (!strcmp(what, "hang")) for (;;) pause();
  return atoi(what + 5); /* fail=10001 */
}

static int faults(const char *function, int poisoned) {
  char path[700], name[64], what[64];
  long every, calls = 0;
  int code = 0;
  snprintf(path, sizeof path, "%s/faults", the_folder);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  while (!code && fscanf(file, "%63s %ld %63s", name, &every, what) == 3) {
    if (poisoned && !strcmp(name, "poison")) code = act(what);
    if (strcmp(name, function)) continue;
    if (!calls) calls = count(function);
    if (every && calls % every == 0) code = act(what);
  }
  fclose(file);
  return code;
}

WeWorkFinanceSdk_t *NewSdk(void) { return calloc(1, sizeof(WeWorkFinanceSdk_t)); }

int Init(WeWorkFinanceSdk_t *sdk, const char *corpid, const char *secret) {
  if (!corpid || !*corpid || !secret || access(secret, R_OK)) return 10000;
  snprintf(sdk->folder, sizeof sdk->folder, "%s", secret);
  snprintf(the_folder, sizeof the_folder, "%s", secret);
  sdk->ready = 1;
  printf("the library prints what it likes\n");
  fflush(stdout);
  return faults("Init", 0);
}

int GetChatData(WeWorkFinanceSdk_t *sdk, unsigned long long seq, unsigned int limit,
                const char *proxy, const char *passwd, int timeout, Slice_t *out) {
  (void)proxy; (void)passwd; (void)timeout;
  if (!sdk || !sdk->ready || !limit || limit > 1000) return 10000;
  int code = faults("GetChatData", 0);
  if (code) return code;
  char path[700];
  snprintf(path, sizeof path, "%s/rows.bin", sdk->folder);
  FILE *file = fopen(path, "rb");
  if (!file) {
    put(out, "{\"errcode\":0,\"errmsg\":\"ok\"}", 27);
    return 0;
  }
  size_t size = 1 << 16, used = 0;
  char *answer = malloc(size);
  used += sprintf(answer, "{\"errcode\":0,\"errmsg\":\"ok\",\"chatdata\":[");
  unsigned long long at;
  unsigned int length, given = 0;
  while (given < limit && fread(&at, 8, 1, file) == 1 && fread(&length, 4, 1, file) == 1) {
    if (at <= seq) { fseek(file, length, SEEK_CUR); continue; }
    while (used + length + 16 > size) answer = realloc(answer, size *= 2);
    if (given++) answer[used++] = ',';
    used += fread(answer + used, 1, length, file);
  }
  fclose(file);
  /* An empty answer has no chatdata at all. */
  if (!given) put(out, "{\"errcode\":0,\"errmsg\":\"ok\"}", 27);
  else { answer[used++] = ']'; answer[used++] = '}'; put(out, answer, (int)used); }
  free(answer);
  return 0;
}

static int nibble(char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; }

int DecryptData(const char *key, const char *message, Slice_t *out) {
  const char *colon = message ? strchr(message, ':') : NULL;
  if (!key || !colon || strncmp(key, message, colon - message) || key[colon - message]) return 10008;
  int length = (int)strlen(colon + 1) / 2;
  char *plain = malloc(length + 1);
  for (int i = 0; i < length; i++)
    plain[i] = (char)(nibble(colon[1 + 2 * i]) << 4 | nibble(colon[2 + 2 * i]));
  plain[length] = 0;
  int code = faults("DecryptData", strstr(plain, "POISON") != NULL);
  if (!code) put(out, plain, length);
  free(plain);
  return code;
}

int GetMediaData(WeWorkFinanceSdk_t *sdk, const char *indexbuf, const char *file_id,
                 const char *proxy, const char *passwd, int timeout, MediaData_t *out) {
  (void)proxy; (void)passwd; (void)timeout;
  if (!sdk || !sdk->ready || !file_id || !*file_id) return 10000;
  int code = faults("GetMediaData", 0);
  if (code) return code;
  char path[1200], following[64];
  snprintf(path, sizeof path, "%s/media.%s", sdk->folder, file_id);
  FILE *file = fopen(path, "rb");
  if (!file) return 10010;
  long start = indexbuf && *indexbuf ? atol(strchr(indexbuf, '=') + 1) : 0;
  fseek(file, 0, SEEK_END);
  long size = ftell(file), length = size - start > 524288 ? 524288 : size - start;
  fseek(file, start, SEEK_SET);
  out->data = malloc(length + 1);
  out->data_len = (int)fread(out->data, 1, length, file);
  fclose(file);
  out->is_finish = start + length >= size;
  out->out_len = out->is_finish ? 0 : snprintf(following, sizeof following, "Range:bytes=%ld-%ld",
                                               start + length, size - 1);
  out->outindexbuf = malloc(out->out_len + 1);
  memcpy(out->outindexbuf, following, out->out_len);
  out->outindexbuf[out->out_len] = 0;
  return 0;
}

void DestroySdk(WeWorkFinanceSdk_t *sdk) { free(sdk); }
Slice_t *NewSlice(void) { return calloc(1, sizeof(Slice_t)); }
void FreeSlice(Slice_t *slice) { if (slice) { free(slice->buf); free(slice); } }
char *GetContentFromSlice(Slice_t *slice) { return slice->buf; }
int GetSliceLen(Slice_t *slice) { return slice->len; }
MediaData_t *NewMediaData(void) { return calloc(1, sizeof(MediaData_t)); }
void FreeMediaData(MediaData_t *media) {
  if (media) { free(media->outindexbuf); free(media->data); free(media); }
}
char *GetOutIndexBuf(MediaData_t *media) { return media->outindexbuf; }
char *GetData(MediaData_t *media) { return media->data; }
int GetIndexLen(MediaData_t *media) { return media->out_len; }
int GetDataLen(MediaData_t *media) { return media->data_len; }
int IsMediaDataFinish(MediaData_t *media) { return media->is_finish; }
