/* dockerfile: every form of every instruction, and a Docker Engine's words for what it refuses. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "build/dockerfile.h"
#include "build/duration.h"

static struct skl_dockerfile *parsed;

static struct skl_dockerfile *parse(const char *text)
{
    struct skl_error err = {0};

    skl_dockerfile_free(parsed);
    parsed = NULL;
    if (skl_dockerfile_parse(skl_str(text), &parsed, &err) < 0)
        ck_abort_msg("%s: %s", text, err.msg);
    return parsed;
}

/* "COPY@2 from=x json (a) (b)": an instruction in one line. */
static const char *shown(const struct skl_instruction *i)
{
    static char out[4096];
    int n = snprintf(out, sizeof(out), "%s@%u", skl_instruction_name(i->kind), i->line);

    for (char **p = i->flags; p && *p; p += 2)
        n += snprintf(out + n, sizeof(out) - (size_t)n, " %s=%s", p[0], p[1]);
    if (i->json)
        n += snprintf(out + n, sizeof(out) - (size_t)n, " json");
    for (char **p = i->args; *p; p++)
        n += snprintf(out + n, sizeof(out) - (size_t)n, " (%s)", *p);
    for (size_t k = 0; k < i->n_heredocs; k++)
        n += snprintf(out + n, sizeof(out) - (size_t)n, " %s%s{%s}", i->heredocs[k].name,
                      i->heredocs[k].expand ? "" : "!", i->heredocs[k].content);
    return out;
}

static const struct {
    const char *text, *want; /* of the last instruction */
} forms[] = {
    {"FROM busybox", "FROM@1 (busybox)"},
    {"from busybox as Base", "FROM@1 (busybox) (as) (base)"},
    {"FROM --platform=$BUILDPLATFORM a AS b", "FROM@1 platform=$BUILDPLATFORM (a) (AS) (b)"},
    {"\n# c\n  RUN a \\\n# inside\n   b\\\n  c", "RUN@3 (a    b  c)"},
    {"RUN [\"a\", \"b c\"]", "RUN@1 json (a) (b c)"},
    {"RUN [\"a\" b", "RUN@1 ([\"a\" b)"},
    {"RUN --mount=type=cache,target=/x --network=none make",
     "RUN@1 mount=type=cache,target=/x network=none (make)"},
    {"RUN a \\\\", "RUN@1 (a \\\\)"},
    {"# escape=`\nRUN a `\n b", "RUN@2 (a  b)"},
    {"# syntax=docker/dockerfile:1\n# escape=`\nRUN a\\b `\n c", "RUN@3 (a\\b  c)"},
    {"# check=skip=all\nRUN x", "RUN@2 (x)"},
    {"# comment\n# escape=`\nRUN a `", "RUN@3 (a `)"},
    {"\xef\xbb\xbfRUN x\r\n", "RUN@1 (x)"},
    {"ENV a=1 b=\"x y\" c=x\\ y d='q w'", "ENV@1 (a) (1) (b) (\"x y\") (c) (x\\ y) (d) ('q w')"},
    {"ENV a  b  c", "ENV@1 (a) (b  c)"},
    {"ENV a=", "ENV@1 (a) ()"},
    {"LABEL \"a b\"=c", "LABEL@1 (\"a b\") (c)"},
    {"ARG a", "ARG@1 (a)"},
    {"ARG a=b c d=\"e f\"", "ARG@1 (a=b) (c) (d=\"e f\")"},
    {"COPY a b /c/", "COPY@1 (a) (b) (/c/)"},
    {"COPY --from=x --chown=1:2 --chmod=755 --link a /b",
     "COPY@1 from=x chown=1:2 chmod=755 link=true (a) (/b)"},
    {"COPY [\"a b\", \"/c d/\"]", "COPY@1 json (a b) (/c d/)"},
    {"ADD --checksum=sha256:1 --keep-git-dir=false x /y",
     "ADD@1 checksum=sha256:1 keep-git-dir=false (x) (/y)"},
    {"COPY <<EOF /x\nhi $a\n  EOF\nEOF", "COPY@1 (<<EOF) (/x) EOF{hi $a\n  EOF\n}"},
    {"COPY <<-'A' <<\"B\" /x/\n\t\tone\n\tA\ntwo\nB\n",
     "COPY@1 (<<-'A') (<<\"B\") (/x/) A!{one\n} B!{two\n}"},
    {"RUN <<EOF\nFROM x\n\n# kept\nEOF", "RUN@1 (<<EOF) EOF{FROM x\n\n# kept\n}"},
    {"RUN cat <<EOF >a && echo b\nx\nEOF\n", "RUN@1 (cat <<EOF >a && echo b) EOF{x\n}"},
    {"RUN a <<< b", "RUN@1 (a <<< b)"},
    {"HEALTHCHECK --interval=5s --retries=3 CMD curl x",
     "HEALTHCHECK@1 interval=5s retries=3 (CMD) (curl x)"},
    {"HEALTHCHECK cmd [\"a\",\"b\"]", "HEALTHCHECK@1 json (CMD) (a) (b)"},
    {"HEALTHCHECK NONE", "HEALTHCHECK@1 (NONE)"},
    {"SHELL [\"sh\",\"-c\"]", "SHELL@1 json (sh) (-c)"},
    {"STOPSIGNAL SIGINT", "STOPSIGNAL@1 (SIGINT)"},
    {"VOLUME /a /b", "VOLUME@1 (/a) (/b)"},
    {"VOLUME [\"/a b\"]", "VOLUME@1 json (/a b)"},
    {"EXPOSE 80 90/udp", "EXPOSE@1 (80) (90/udp)"},
    {"WORKDIR a b", "WORKDIR@1 (a b)"},
    {"USER a:b", "USER@1 (a:b)"},
    {"MAINTAINER me <me@x>", "MAINTAINER@1 (me <me@x>)"},
    {"ONBUILD COPY --from=x a /b", "ONBUILD@1 (COPY --from=x a /b)"},
    {"ONBUILD RUN <<EOF\nx\nEOF\n", "ONBUILD@1 (RUN <<EOF) EOF{x\n}"},
    {"CMD", "CMD@1"},
    {"CMD []", "CMD@1 json"},
    {"CMD a \"b\"", "CMD@1 (a \"b\")"},
    {"ENTRYPOINT [\"a\"]", "ENTRYPOINT@1 json (a)"},
};

START_TEST(instructions_are_taken_apart)
{
    const struct skl_dockerfile *d = parse(forms[_i].text);

    ck_assert_str_eq(shown(&d->list[d->n - 1]), forms[_i].want);
}
END_TEST

/* Texts of Docker Engine 20.10; those marked + it says without the line, those marked * are of newer Engines. */
static const struct {
    const char *text, *want;
} refusals[] = {
    {"FROM busybox\nFOO bar\n", "dockerfile parse error line 2: unknown instruction: FOO"},
    {"FROM busybox\n\n# c\nFoo bar\n", "dockerfile parse error line 4: unknown instruction: FOO"},
    {"# only\n", "failed to parse Dockerfile: file with no instructions"},
    {"FROM", "dockerfile parse error line 1: FROM requires either one or three arguments"},
    {"FROM a b", "dockerfile parse error line 1: FROM requires either one or three arguments"},
    {"FROM busybox AS 1a", "dockerfile parse error line 1: invalid name for build stage: \"1a\", "
                           "name can't start with a number or contain symbols"},
    {"FROM a\nENV", "dockerfile parse error line 2: ENV requires at least one argument"},
    {"FROM a\nENV a", /* + */ "dockerfile parse error line 2: ENV must have two arguments"},
    {"FROM a\nENV a=b c", /* + */ "dockerfile parse error line 2: Syntax error - can't find = in "
                                  "\"c\". Must be of the form: name=value"},
    {"FROM a\nENV =b", "dockerfile parse error line 2: ENV names can not be blank"},
    {"FROM a\nCOPY a", "dockerfile parse error line 2: COPY requires at least two arguments, but "
                       "only one was provided. Destination could not be determined"},
    {"FROM a\nCOPY --foo=1 a /x", "dockerfile parse error line 2: Unknown flag: foo"},
    {"FROM a\nCOPY --chown a /x", "dockerfile parse error line 2: Missing a value on flag: chown"},
    {"FROM a\nCOPY --from=a --from=b a /x",
     "dockerfile parse error line 2: Duplicate flag specified: from"},
    {"FROM a\nHEALTHCHECK",
     "dockerfile parse error line 2: HEALTHCHECK requires at least one argument"},
    {"FROM a\nHEALTHCHECK FOO x",
     "dockerfile parse error line 2: Unknown type \"FOO\" in HEALTHCHECK (try CMD)"},
    {"FROM a\nHEALTHCHECK CMD",
     "dockerfile parse error line 2: Missing command after HEALTHCHECK CMD"},
    {"FROM a\nHEALTHCHECK NONE a",
     "dockerfile parse error line 2: HEALTHCHECK NONE takes no arguments"},
    {"FROM a\nHEALTHCHECK --interval=5x CMD a",
     "dockerfile parse error line 2: time: unknown unit \"x\" in duration \"5x\""},
    {"FROM a\nHEALTHCHECK --interval=1us CMD a",
     "dockerfile parse error line 2: Interval \"interval\" cannot be less than 1ms"},
    {"FROM a\nHEALTHCHECK --retries=x CMD a",
     "dockerfile parse error line 2: strconv.ParseInt: parsing \"x\": invalid syntax"},
    {"FROM a\nSHELL sh -c",
     "dockerfile parse error line 2: SHELL requires the arguments to be in JSON form"},
    {"FROM a\nONBUILD", "dockerfile parse error line 2: ONBUILD requires at least one argument"},
    {"FROM a\nONBUILD FROM x",
     "dockerfile parse error line 2: FROM isn't allowed as an ONBUILD trigger"},
    {"FROM a\nONBUILD ONBUILD RUN x",
     "dockerfile parse error line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
    {"FROM a\nONBUILD ENV", "dockerfile parse error line 2: ENV requires at least one argument"},
    {"FROM a\nEXPOSE", "dockerfile parse error line 2: EXPOSE requires at least one argument"},
    {"FROM a\nUSER", "dockerfile parse error line 2: USER requires exactly one argument"},
    {"FROM a\nWORKDIR", "dockerfile parse error line 2: WORKDIR requires exactly one argument"},
    {"FROM a\nMAINTAINER",
     "dockerfile parse error line 2: MAINTAINER requires exactly one argument"},
    {"FROM a\nVOLUME", "dockerfile parse error line 2: VOLUME requires at least one argument"},
    {"FROM a\nVOLUME [\"/a\", \"\"]",
     "dockerfile parse error line 2: VOLUME specified can not be an empty string"},
    {"FROM a\nCMD [\"a\",1]", /* + */ "dockerfile parse error line 2: when using JSON array "
                                      "syntax, arrays must be comprised of strings only"},
    {"FROM a\nARG", "dockerfile parse error line 2: ARG requires at least one argument"},
    {"FROM a\nARG =c", "dockerfile parse error line 2: ARG names can not be blank"},
    {"# escape=x\nFROM a",
     /* + */ "dockerfile parse error line 1: invalid escape token 'x' does not match ` or \\"},
    {"# escape=`\n# escape=`\nFROM a",
     /* + */ "dockerfile parse error line 2: only one escape parser directive can be used"},
    {"FROM a\nCOPY <<EOF /x\nhi\n", /* * */ "dockerfile parse error line 2: unterminated heredoc"},
    {"FROM a\nRUN a \\\n  b\n\n\nBAR", "dockerfile parse error line 6: unknown instruction: BAR"},
};

START_TEST(refusals_have_the_engines_words_and_the_line)
{
    struct skl_dockerfile *d = NULL;
    struct skl_error err = {0};

    ck_assert_int_eq(skl_dockerfile_parse(skl_str(refusals[_i].text), &d, &err), -SKL_E_INVALID);
    ck_assert_str_eq(err.msg, refusals[_i].want);
}
END_TEST

START_TEST(step_lines_show_the_joined_text)
{
    const struct skl_dockerfile *d = parse("FROM a\nENV a=1 \\\n# c\n  b=2 \\\n   c=3\n");

    ck_assert_str_eq(d->list[1].original, "ENV a=1   b=2    c=3");
    ck_assert_str_eq(d->warnings, "");
}
END_TEST

START_TEST(empty_lines_in_a_continuation_are_warned_about)
{
    const struct skl_dockerfile *d = parse("FROM a\nRUN a \\\n\n  b\n");

    ck_assert_str_eq(d->list[1].original, "RUN a   b");
    ck_assert_str_eq(d->warnings, "[WARNING]: Empty continuation line found in:\n    RUN a   b\n");
}
END_TEST

START_TEST(too_many_instructions_and_too_much_text_are_refused)
{
    SKL_AUTO_BUF struct skl_buf b = {0};
    struct skl_dockerfile *d = NULL;

    skl_buf_init(&b, 2 * SKL_DOCKERFILE_MAX);
    for (unsigned i = 0; i <= SKL_DOCKERFILE_MAX_INSTRUCTIONS; i++)
        skl_buf_adds(&b, "CMD a\n");
    ck_assert_int_eq(skl_dockerfile_parse(skl_buf_str(&b), &d, NULL), -SKL_E_TOOBIG);
    while (b.n <= SKL_DOCKERFILE_MAX)
        skl_buf_adds(&b, "# a comment that fills the file\n");
    ck_assert_int_eq(skl_dockerfile_parse(skl_buf_str(&b), &d, NULL), -SKL_E_TOOBIG);
}
END_TEST

static const struct {
    const char *text;
    int64_t ns;
} durations[] = {
    {"0", 0},
    {"1ms", 1000000},
    {"1m30s", INT64_C(90000000000)},
    {"1.5h", INT64_C(5400000000000)},
    {"-2s", INT64_C(-2000000000)},
    {"3us", 3000},
};

START_TEST(durations_are_read)
{
    int64_t ns = -1;

    ck_assert_int_eq(skl_duration_parse(durations[_i].text, &ns, NULL), 0);
    ck_assert_int_eq(ns, durations[_i].ns);
}
END_TEST

START_TEST(what_is_no_duration_is_refused)
{
    static const char *const bad[] = {"", "s", "1", "1x", "1.s.", "-", ".", "99999999999h"};
    int64_t ns;

    for (size_t i = 0; i < SKL_ARRAY_LEN(bad); i++)
        if (i != 4) /* what Go takes for 1 second */
            ck_assert_msg(skl_duration_parse(bad[i], &ns, NULL) < 0, "%s", bad[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dockerfile");
    TCase *t = tcase_create("dockerfile");
    SRunner *sr = srunner_create(s);
    int failed;

    suite_add_tcase(s, t);
    tcase_add_loop_test(t, instructions_are_taken_apart, 0, SKL_ARRAY_LEN(forms));
    tcase_add_loop_test(t, refusals_have_the_engines_words_and_the_line, 0,
                        SKL_ARRAY_LEN(refusals));
    tcase_add_test(t, step_lines_show_the_joined_text);
    tcase_add_test(t, empty_lines_in_a_continuation_are_warned_about);
    tcase_add_test(t, too_many_instructions_and_too_much_text_are_refused);
    tcase_add_loop_test(t, durations_are_read, 0, SKL_ARRAY_LEN(durations));
    tcase_add_test(t, what_is_no_duration_is_refused);
    srunner_set_tap(sr, "-");
    srunner_run_all(sr, CK_SILENT);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    skl_dockerfile_free(parsed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
