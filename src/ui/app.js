// The page behind `midsim up`. Everything that comes from a message is put in as text, never as markup.

const $ = (id) => document.getElementById(id);
const cards = new Map();
let shown = location.hash.slice(1);

async function api(path, options) {
  const answer = await fetch(`/api/v1/${path}`, options);
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  return answer.status === 204 ? null : answer.json();
}

function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = !text;
}

async function press(id, action, text) {
  const hint = cards.get(id)?.querySelector('.hint');
  try {
    await api(`prompts/${id}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ action, ...(text !== undefined && { text }) }),
    });
  } catch (error) {
    if (hint) hint.textContent = error.status === 404 ? 'This popup is gone.' : `Not accepted (${error.message}).`;
  }
}

function card(prompt) {
  const form = $('popup').content.cloneNode(true).querySelector('form');
  const input = form.querySelector('input');
  const asks = prompt.kind === 'input';
  form.querySelector('h3').textContent = `Phone ${prompt.msisdn}`;
  form.querySelector('h3').id = `phone-${prompt.id}`;
  form.setAttribute('aria-labelledby', `phone-${prompt.id}`);
  form.querySelector('.text').textContent = prompt.text;
  form.querySelector('.pin').hidden = !asks;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const typed = input.value;
    input.value = '';
    if (asks && (typed.length < prompt.min || typed.length > prompt.max || (prompt.digits && !/^\d*$/.test(typed)))) {
      form.querySelector('.hint').textContent = `Enter ${prompt.min} to ${prompt.max} digits.`;
      return;
    }
    if (asks) press(prompt.id, 'text', typed);
    else press(prompt.id, 'ok');
  });
  form.querySelector('.back').addEventListener('click', () => press(prompt.id, 'back'));
  form.querySelector('.cancel').addEventListener('click', () => press(prompt.id, 'cancel'));
  form.addEventListener('keydown', (event) => { if (event.key === 'Escape') press(prompt.id, 'cancel'); });
  return form;
}

function showPrompts(prompts) {
  const ids = new Set(prompts.map((prompt) => prompt.id));
  for (const [id, form] of cards) if (!ids.has(id)) { form.remove(); cards.delete(id); }
  for (const prompt of prompts) {
    if (cards.has(prompt.id)) continue;
    const form = card(prompt);
    cards.set(prompt.id, form);
    $('prompts').append(form);
    if (cards.size === 1) (prompt.kind === 'input' ? form.querySelector('input') : form.querySelector('.ok')).focus();
  }
  $('none').hidden = cards.size > 0;
  document.title = cards.size ? `(${cards.size}) midsim` : 'midsim';
}

function row(cells) {
  const tr = document.createElement('tr');
  for (const [text, name] of cells) {
    const td = document.createElement('td');
    if (text instanceof Node) td.append(text); else td.textContent = text;
    if (name) td.className = name;
    tr.append(td);
  }
  return tr;
}

function showTraces(traces) {
  $('traces').replaceChildren(...traces.map((trace) => {
    const link = document.createElement('a');
    link.href = `#${trace.id}`;
    link.textContent = trace.id;
    return row([[link], [trace.began], [trace.reached ?? '–'], [String(trace.events)]]);
  }));
}

async function showTrace(focus) {
  $('trace').hidden = !shown;
  if (!shown) return;
  const trace = await api(`traces/${encodeURIComponent(shown)}`);
  $('trace-title').textContent = `Trace ${trace.id}`;
  const lines = trace.lines.filter((line) => $('all').checked || line.step);
  $('lines').replaceChildren(...lines.map((line) => row([
    [line.step ? String(line.step) : ''], [`${line.from} → ${line.to}`], [line.name],
    [line.fields.map(([name, value]) => `${name} ${value}`).join('\n'), 'fields'], [`${line.clause} (${line.badge})`],
  ])));
  if (focus) $('trace-title').focus();
}

async function follow() {
  let version = 0;
  for (;;) {
    try {
      const state = await api(`state?after=${version}&wait=25`);
      version = state.version;
      $('clock').textContent = `${state.clock.kind} clock, ${state.clock.now}`;
      notice('');
      showPrompts(state.prompts);
      showTraces(state.traces);
      await showTrace(false);
    } catch (error) {
      notice(`midsim does not answer (${error.message}); trying again.`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

window.addEventListener('hashchange', () => { shown = location.hash.slice(1); showTrace(true).catch((error) => notice(error.message)); });
$('all').addEventListener('change', () => showTrace(false));
$('copy').addEventListener('click', () => navigator.clipboard?.writeText($('curl').textContent));
api('info').then((info) => { $('curl').textContent = info.curl; });
follow();
