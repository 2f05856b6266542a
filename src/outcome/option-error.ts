/** An invalid option or argument. The error names the option, the value given and what was expected. */
export class OptionError extends TypeError {
  /** Stable. */
  readonly code = 'ERR_OPTION'
  /** The path of the option, e.g. `upstreams.payments.breaker.failureRate`. */
  readonly option: string
  /** What was expected. */
  readonly expected: string
  /** A description of the value given; nothing that may be secret is shown. */
  readonly given: string

  /** @param message - a sentence of its own, where "expected …, got …" would not read well. */
  constructor(option: string, given: string, expected: string, message?: string) {
    super(message ?? `${option}: expected ${expected}, got ${given}`)
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
