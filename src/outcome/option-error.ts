/** An option or argument that cannot be used: says which, what was expected and what was given. */
export class OptionError extends TypeError {
  /** Stable. */
  readonly code = 'ERR_OPTION'
  /** The path of the option, e.g. `upstreams.payments.breaker.failureRate`. */
  readonly option: string
  /** What would have been right, e.g. `a positive integer`. */
  readonly expected: string
  /** What was given instead, described: nothing that may be secret is shown. */
  readonly given: string

  /**
   * @param option - where, e.g. `retry.limit`
   * @param given - what was there, described; never a header value, a body or a URL's credentials
   * @param expected - what would have been right, as it reads after "must be"
   * @param message - the whole sentence, where "`option` must be expected, got given" does not say it well
   */
  constructor(option: string, given: string, expected: string, message = `\`${option}\` must be ${expected}, got ${given}`) {
    super(message)
    this.option = option
    this.expected = expected
    this.given = given
  }

  /** The name of the class. */
  override get name(): string {
    return 'OptionError'
  }

  /** The fields for a structured log. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, option, expected } = this
    return { name, code, message, option, expected }
  }
}
