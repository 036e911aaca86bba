"""The page's style sheet, for light and dark screens and for phones."""

STYLE = """<style>
:root { --docent-accent: light-dark(#1b7a63, #5ec3a6); }
[data-testid="stStatusWidget"], [data-testid="stDecoration"], [data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { max-width: 46rem; padding: 0 1rem 1.5rem; }
:has(> .st-key-header) { position: sticky; top: 0; z-index: 90; }
.st-key-header { padding: 1rem 0 0.6rem;
  background: light-dark(#ffffffe6, #171715e6); backdrop-filter: blur(10px); }
.docent-brand { font-size: 1.25rem; font-weight: 650; letter-spacing: -0.01em; }
.docent-welcome { margin: 10vh 0 1.25rem; }
.docent-welcome h1 { font-size: 1.9rem; font-weight: 650; letter-spacing: -0.02em; padding: 0; margin: 0 0 0.4rem; }
.docent-welcome p, .docent-quiet { opacity: 0.7; }
.docent-quiet { font-size: 0.875rem; }
.docent-label { font-size: 0.8125rem; font-weight: 600; opacity: 0.6; margin: 0.5rem 0 0.4rem; }
.docent-question { width: fit-content; max-width: 85%; margin: 0.75rem 0 0.25rem auto; padding: 0.55rem 0.9rem;
  border-radius: 1.1rem 1.1rem 0.25rem 1.1rem; background: color-mix(in srgb, currentColor 8%, transparent);
  white-space: pre-wrap; overflow-wrap: anywhere; }
.docent-text { line-height: 1.65; overflow-wrap: anywhere; }
.docent-text p { margin: 0 0 0.7rem; }
.docent-text h1, .docent-text h2, .docent-text h3, .docent-text h4, .docent-text h5, .docent-text h6 {
  font-size: 1em; font-weight: 650; padding: 0; margin: 0.6rem 0 0.3rem; letter-spacing: 0; line-height: 1.5; }
.docent-text ul, .docent-text ol { margin: 0 0 0.7rem; padding-left: 1.4rem; }
.docent-text pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.6rem 0.8rem; border-radius: 0.5rem;
  background: color-mix(in srgb, currentColor 6%, transparent); }
.docent-text code { font-size: 0.9em; background: color-mix(in srgb, currentColor 6%, transparent); color: inherit; }
.docent-table { overflow-x: auto; margin: 0 0 0.7rem; }
.docent-text table { border-collapse: collapse; font-size: 0.9em; margin: 0; }
.docent-text th, .docent-text td { padding: 0.3rem 0.6rem; text-align: left; overflow-wrap: normal;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.docent-text mark { background: #ffe58a; color: #1d1d1b; border-radius: 0.2em; padding: 0.05em 0.1em; }
.docent-reference { font-size: 0.8em; font-weight: 600; color: var(--docent-accent); white-space: nowrap; }
.docent-source { border: 1px solid color-mix(in srgb, currentColor 15%, transparent); border-radius: 0.6rem;
  margin: 0 0 0.4rem; overflow: hidden; }
.docent-source > summary, .docent-others > summary { cursor: pointer; list-style: none; }
.docent-source > summary { display: flex; gap: 0.55rem; align-items: baseline; padding: 0.5rem 0.8rem;
  font-size: 0.9rem; }
.docent-source > summary::-webkit-details-marker, .docent-others > summary::-webkit-details-marker { display: none; }
.docent-source > summary:hover { background: color-mix(in srgb, currentColor 4%, transparent); }
.docent-source > summary:focus-visible, .docent-others > summary:focus-visible {
  outline: 2px solid var(--docent-accent); }
.docent-source > summary::after, .docent-others > summary::after { content: "›"; margin-left: auto; opacity: 0.5;
  transition: transform 0.15s; }
.docent-source[open] > summary::after, .docent-others[open] > summary::after { transform: rotate(90deg); }
.docent-number { font-weight: 650; color: var(--docent-accent); }
.docent-title { overflow-wrap: anywhere; min-width: 0; }
.docent-place { opacity: 0.65; }
.docent-passage { padding: 0.3rem 0.9rem 0.7rem; font-size: 0.9rem; max-height: 22rem; overflow-y: auto;
  border-top: 1px solid color-mix(in srgb, currentColor 10%, transparent); }
.docent-passage .docent-text :is(p, li, ul, ol, h1, h2, h3, h4, h5, h6) { font-size: 0.9rem; }
.docent-passage .docent-text { line-height: 1.55; padding-top: 0.4rem; }
.docent-passage a, .docent-passage a:visited { color: var(--docent-accent); font-weight: 600; text-decoration: none; }
.docent-passage a:hover { text-decoration: underline; }
.docent-others { margin: 0.2rem 0 0.4rem; }
.docent-others > summary { display: flex; gap: 0.4rem; width: fit-content; font-size: 0.8125rem; opacity: 0.7;
  padding: 0.25rem 0; }
.docent-caution { font-size: 0.9rem; padding: 0.45rem 0.8rem; border-left: 3px solid #d08700; margin: 0 0 0.4rem;
  background: color-mix(in srgb, #d08700 10%, transparent); border-radius: 0 0.4rem 0.4rem 0; overflow-wrap: anywhere; }
.docent-banner { font-size: 0.875rem; padding: 0.55rem 0.9rem; border-radius: 0.6rem; overflow-wrap: anywhere;
  background: color-mix(in srgb, currentColor 6%, transparent); }
.docent-state { font-size: 0.9rem; opacity: 0.7; margin: 0 0 0.5rem; }
</style>"""
