/* Tries edgehold.c from a command line:
 *
 *   main HOST PORT ask TEXT | later KEY TEXT | job ID TEXT
 *
 * A token is taken from $EDGEHOLD_TOKEN. The answer goes to standard output, all else to standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgehold.h"

static void to_output(const char *bytes, size_t count) {
    fwrite(bytes, 1, count, stdout);
}

static void to_errors(const char *bytes, size_t count) {
    fwrite(bytes, 1, count, stderr);
}

static struct edgehold gateway;

int main(int count, char **words) {
    enum edgehold_outcome outcome;
    if (count < 5) return 64;
    gateway.host = words[1];
    gateway.port = words[2];
    gateway.token = getenv("EDGEHOLD_TOKEN");
    gateway.answer = to_output;
    gateway.trouble = to_errors;
    if (strcmp(words[3], "ask") == 0 && count == 5)
        outcome = edgehold_ask(&gateway, words[4]);
    else if (strcmp(words[3], "later") == 0 && count == 6)
        outcome = edgehold_ask_later(&gateway, words[4], words[5]);
    else if (strcmp(words[3], "job") == 0 && count == 6)
        outcome = edgehold_job(&gateway, words[4], words[5]);
    else
        return 64;
    if (outcome == EDGEHOLD_DONE && fflush(stdout) == 0) {
        fprintf(stderr, "ok\n");
        return 0;
    }
    fprintf(stderr, "failed: %s (%d)\n", edgehold_word(outcome), gateway.status);
    return 1;
}
