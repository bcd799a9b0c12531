/* The one way in which the program reports a mistake and ends. */
#ifndef WSE_MAIN_MESSAGE_H
#define WSE_MAIN_MESSAGE_H

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

#if defined(__GNUC__)
#define WSE_ENDS_PROGRAM __attribute__((format(printf, 1, 2), noreturn))
#else
#define WSE_ENDS_PROGRAM
#endif

/* Names the program in messages: the last part of `path`. */
void set_program_name(const char *path);
const char *program_name(void);

/* Prints "PROGRAM: error: ..." and ends; files that are not complete are removed. */
void fail(const char *format, ...) WSE_ENDS_PROGRAM;

/* As `fail`, for a command line that is wrong; points to --help. */
void fail_usage(const char *format, ...) WSE_ENDS_PROGRAM;

/* malloc and strdup that end the program when there is no memory. */
void *allocate(unsigned long long bytes);
char *copy_text(const char *text);

#endif
