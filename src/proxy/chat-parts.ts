/**
 * Content of chat messages as content of Responses items. Texts, images and files keep their bytes; what upstream cannot take is refused
 * by its place in the request.
 */
import { invalidChat, unsupportedChat } from "./chat-refusal.ts";
import { isArray, isText, type JsonMember, type JsonSpan, scanElements } from "./json-members.ts";
import { type JsonView, listOf, objectOf, type Piece, viewObject } from "./json-view.ts";

/** Which kinds of parts a message may hold, and what its texts are called upstream. */
export type PartKinds = "input" | "input_text" | "output";

/** A text or a list of parts, as a list of Responses parts. */
export function contentParts(bytes: Uint8Array, content: JsonMember, kinds: PartKinds, place: string): Piece[][] {
  const textType = kinds === "output" ? "output_text" : "input_text";
  if (isText(bytes, content)) {
    return [textPart(textType, bytes.subarray(content.valueStart, content.valueEnd))];
  }
  const scan = isArray(bytes, content) ? scanElements(bytes, content.valueStart, content.valueEnd) : null;
  if (!scan?.ok) throw invalidChat(place, `${place} must be a text or a list of parts`);
  return scan.elements.map((element, index) => part(bytes, element, kinds, `${place}[${index}]`));
}

export function partList(bytes: Uint8Array, content: JsonMember, kinds: PartKinds, place: string): Piece[] {
  return listOf(contentParts(bytes, content, kinds, place));
}

/** `text` is a JSON string with its quotes. */
function textPart(type: string, text: Uint8Array): Piece[] {
  return [`{"type":"${type}","text":`, text, "}"];
}

export function refusalPart(text: Uint8Array): Piece[] {
  return ['{"type":"refusal","refusal":', text, "}"];
}

function part(bytes: Uint8Array, element: JsonSpan, kinds: PartKinds, place: string): Piece[] {
  const view = viewObject(bytes, element);
  if (view === null) throw invalidChat(place, `${place} must be an object`);
  const type = view.text("type");
  switch (type) {
    case "text":
      return textPart(kinds === "output" ? "output_text" : "input_text", textAt(view, "text", place));
    case "refusal":
      if (kinds === "output") return refusalPart(textAt(view, "refusal", place));
      break;
    case "image_url":
      if (kinds === "input") return imagePart(view, place);
      break;
    case "file":
      if (kinds === "input") return filePart(view, place);
      break;
    case "input_audio":
      throw unsupportedChat(place, `${place} is audio, which upstream does not take`);
  }
  throw invalidChat(`${place}.type`, `${place} may not be of type ${JSON.stringify(type)} in this message`);
}

/** `{url, detail}` as the API says, or the address alone, as many programs write it. */
function imagePart(view: JsonView, place: string): Piece[] {
  const image = view.at("image_url");
  const inner = view.object("image_url");
  const url = inner === null ? image : inner.at("url");
  if (url === null || !isText(view.bytes, url)) {
    throw invalidChat(`${place}.image_url.url`, `${place}.image_url.url must be an address or a data URL`);
  }
  const detail = inner?.at("detail") ?? null;
  return objectOf({
    type: '"input_image"',
    image_url: view.raw(url),
    detail: detail === null ? null : view.raw(detail),
  });
}

function filePart(view: JsonView, place: string): Piece[] {
  const file = view.object("file");
  if (file === null) throw invalidChat(`${place}.file`, `${place}.file must be an object`);
  if (file.at("file_id") !== null) {
    const words = "an uploaded file belongs to one account; send file_data instead";
    throw unsupportedChat(`${place}.file.file_id`, words);
  }
  const name = file.at("filename");
  return objectOf({
    type: '"input_file"',
    filename: name === null ? null : file.raw(name),
    file_data: textAt(file, "file_data", `${place}.file`),
  });
}

/** The bytes of a member that must be a text. */
export function textAt(view: JsonView, key: string, place: string): Uint8Array {
  const member = view.at(key);
  if (member === null || !isText(view.bytes, member))
    throw invalidChat(`${place}.${key}`, `${place}.${key} must be a text`);
  return view.raw(member);
}
