"""lm-interpolation in a clone: the workflow in workflow/Snakefile, and its whole study as the default target."""


include: "workflow/Snakefile"


# The default target of an included file does not count.
rule default:
    default_target: True
    input:
        rules.all.input,
    message:
        "The study is complete"
