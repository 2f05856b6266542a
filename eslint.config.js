import stylistic from '@stylistic/eslint-plugin'
import tseslint from 'typescript-eslint'

const forbidden = [
  { selector: 'ExportDefaultDeclaration', message: 'Export by name: one word for one thing, everywhere.' },
  { selector: 'TSExportAssignment', message: 'Export by name.' },
  { selector: 'TSEnumDeclaration', message: 'Use a union of literals: an enum cannot be stripped.' },
  { selector: 'TSModuleDeclaration[kind="namespace"]', message: 'Use a module.' },
  { selector: 'TSParameterProperty', message: 'Declare the field: a parameter property cannot be stripped.' },
  {
    selector: ':matches(PropertyDefinition, MethodDefinition, AccessorProperty)[accessibility=private]',
    message: 'Use #private.',
  },
]

export default tseslint.config(
  { ignores: ['dist/', 'site/dist/', 'node_modules/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  // The look of a page: two spaces, single quotes, no semicolons, 120 columns give or take a word. No more is policed.
  {
    files: ['**/*.ts', '**/*.js'],
    plugins: { '@stylistic': stylistic },
    rules: {
      '@stylistic/indent': ['error', 2, { SwitchCase: 1, flatTernaryExpressions: true, ignoredNodes: ['TSUnionType'] }],
      '@stylistic/quotes': ['error', 'single', { avoidEscape: true, allowTemplateLiterals: 'avoidEscape' }],
      '@stylistic/semi': ['error', 'never'],
      '@stylistic/member-delimiter-style': ['error', { multiline: { delimiter: 'none' } }],
      '@stylistic/max-len': ['error', {
        code: 130, ignoreUrls: true, ignoreRegExpLiterals: true, ignoreTemplateLiterals: true,
      }],
      '@stylistic/comma-dangle': ['error', 'always-multiline'],
      '@stylistic/no-trailing-spaces': 'error',
      '@stylistic/eol-last': 'error',
    },
  },

  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-restricted-syntax': ['error', ...forbidden],
      'no-console': 'error',
      'eqeqeq': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      // A caller's abort is rethrown as its own reason, whatever that is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', {
        argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true,
      }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },

  {
    files: ['src/**/*.ts'],
    rules: { 'max-lines': ['error', 250] },
  },

  // A test may be blunt where the library may not.
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'demo/**/*.ts', 'examples/**/*.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-floating-promises': ['error', {
        allowForKnownSafeCalls: [
          { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
        ],
      }],
    },
  },
)
