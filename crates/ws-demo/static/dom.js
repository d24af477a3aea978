// The two things every panel does with the document: find an element, make an element.
// Text only ever enters through `textContent`: what a peer says is never markup.

export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

export function make(tag, { className, text, data, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Adds at the end, drops the oldest beyond `limit`, and follows only a reader who is at the end. */
export function appendFollowing(list, item, limit) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  list.append(item);
  while (list.children.length > limit) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}
