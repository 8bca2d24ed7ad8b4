//! The OpenAPI document.

use serde_json::{Value, json};

/// OpenAPI 3.1.
pub(super) fn document() -> Value {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
    let target = json!({
        "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "description": "Yours; the same id again is the same message. Made up if left out."},
        "msisdn": {"type": "string", "examples": ["+447700900002"]},
        "iccid": {"type": "string", "description": "Instead of the number, or beside it."},
        "key_version": {"type": "integer", "minimum": 1, "maximum": 15, "description": "Key set that protects the packet; without it, the one imported for the TAR, or the card's first."},
        "valid_for": {"type": "integer", "minimum": 1, "maximum": 259_200, "default": 300, "description": "Seconds."},
        "expires": {"type": "string", "format": "date-time", "description": "Instead of valid_for."}
    });
    let with = |more: Value, required: Value| {
        let mut properties = target.clone();
        if let (Some(all), Value::Object(more)) = (properties.as_object_mut(), more) {
            all.extend(more);
        }
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    };
    let hex = |what: &str| json!({"type": "string", "pattern": "^([0-9A-Fa-f]{2})*$", "description": what});
    let body = |schema: &str| json!({"required": true, "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}}});
    let answer = |what: &str, schema: &str| json!({"description": what, "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}}});
    let problem = |what: &str| json!({"description": what, "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "midsim OTA platform",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Messages for applications on SIMs as secured packets (TS 102 225), key sets, and remote management (TS 102 226). The API is midsim's own."
        },
        "paths": {
            "/v1/messages": {
                "post": {
                    "operationId": "submitMessage",
                    "summary": "Submit a message for an application on a SIM",
                    "requestBody": body("Order"),
                    "responses": {
                        "202": answer("Kept", "Message"),
                        "200": answer("It was submitted before", "Message"),
                        "404": problem("No such subscriber"),
                        "409": problem("Another message has this id"),
                        "422": problem("A field makes no sense")
                    }
                }
            },
            "/v1/messages/{id}": {
                "get": {
                    "operationId": "showMessage",
                    "summary": "How far a message got",
                    "parameters": [id],
                    "responses": {"200": answer("The message", "Message"), "404": problem("Unknown, or its validity is over")}
                },
                "delete": {
                    "operationId": "cancelMessage",
                    "summary": "Call a message off; what is on its way may still arrive",
                    "parameters": [id],
                    "responses": {"200": answer("Cancelled", "Message"), "404": problem("Unknown"), "409": problem("It is over already")}
                }
            },
            "/v1/remote": {
                "post": {
                    "operationId": "manageCard",
                    "summary": "Remote management of a card; answers when the card has",
                    "requestBody": body("RemoteOrder"),
                    "responses": {
                        "200": answer("Done; `result` says what", "Message"),
                        "404": problem("No such subscriber"),
                        "409": problem("Another message has this id"),
                        "422": problem("A field makes no sense"),
                        "502": answer("The card refused, or the message failed", "Message"),
                        "504": problem("The card has not answered in time")
                    }
                }
            },
            "/v1/key-sets": {
                "post": {
                    "operationId": "importKeySets",
                    "summary": "Import key sets; all of one body are kept, or none",
                    "requestBody": body("KeySets"),
                    "responses": {
                        "200": {"description": "Kept", "content": {"application/json": {"schema": {"type": "object", "properties": {"imported": {"type": "integer"}}}}}},
                        "422": problem("Some make no sense; each is named")
                    }
                }
            },
            "/v1/key-sets/{card}": {
                "get": {
                    "operationId": "showKeySets",
                    "summary": "Key sets of a card, with check values instead of keys",
                    "description": "`from` is derived, imported, or unsure: PUT KEY went out and what came of it is not known. Such a set is used only where `key_version` names it; what the card signs under it, or put-key once more, settles it.",
                    "parameters": [{"name": "card", "in": "path", "required": true, "description": "ICCID or number", "schema": {"type": "string"}}],
                    "responses": {"200": {"description": "The key sets", "content": {"application/json": {"schema": {"type": "object"}}}}, "404": problem("No such card")}
                }
            },
            "/v1/events": {
                "get": {
                    "operationId": "followEvents",
                    "summary": "What comes of messages, as server-sent events: sent, answer, and at the end acknowledged, failed, expired or cancelled",
                    "description": "A client that comes back with Last-Event-ID gets what it missed, or, if that is forgotten, a `state` event for each message and then every event that is kept: the same one may come again.",
                    "parameters": [{"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}],
                    "responses": {"200": {"description": "A stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}}}
                }
            }
        },
        "components": {"schemas": {
            "Order": with(json!({
                "tar": {"type": "string", "pattern": "^[0-9A-Fa-f]{6}$", "examples": ["4D4944"]},
                "payload": hex("What the application gets; about 1,000 octets at most."),
                "por": {"enum": ["none", "on-error", "always"], "default": "on-error", "description": "When the card is to send a response packet."}
            }), json!(["tar", "payload"])),
            "RemoteOrder": with(json!({
                "action": {"enum": ["read-iccid", "put-key", "lock", "unlock"]},
                "aid": hex("lock, unlock: AID of the application."),
                "key_set": {"$ref": "#/components/schemas/KeySet"},
                "kik": hex("put-key: the third key of the set."),
                "replaces": {"type": "boolean", "default": false, "description": "put-key: the card has a set of this version. One that it may have (unsure) is replaced without saying so, by an order with -replace behind its id."}
            }), json!(["action"])),
            "KeySet": {"type": "object", "required": ["version", "kic_algorithm", "kic", "kid_algorithm", "kid"], "properties": {
                "iccid": {"type": "string"},
                "version": {"type": "integer", "minimum": 1, "maximum": 15},
                "kic_algorithm": {"enum": ["aes", "3des2", "3des3", "des"]},
                "kic": hex("KIc."),
                "kid_algorithm": {"enum": ["aes", "3des2", "3des3", "des"]},
                "kid": hex("KID."),
                "cc_length": {"enum": [4, 8], "default": 8},
                "tars": {"type": "array", "items": {"type": "string"}},
                "kik": hex("The key for loading keys that belongs to the set, with the algorithm of KIc; of an imported set. That of put-key stands beside it.")
            }},
            "KeySets": {"oneOf": [
                {"type": "object", "required": ["key_sets"], "properties": {"key_sets": {"type": "array", "items": {"$ref": "#/components/schemas/KeySet"}}}},
                {"type": "object", "required": ["csv"], "properties": {"csv": {"type": "string", "description": ota::platform::key_sets::COLUMNS.join(",")}}}
            ]},
            "Message": {"type": "object", "required": ["id", "state"], "properties": {
                "id": {"type": "string"},
                "state": {"enum": ["queued", "submitted", "sent", "acknowledged", "failed", "expired", "cancelled"]},
                "reason": {"type": "string"},
                "code": {"enum": ["unknown-subscriber", "too-long", "keys", "counter-exhausted", "queue-full", "card", "smsc", "undelivered"], "description": "failed: why, for programs."},
                "cntr": {"type": "string"},
                "message_ids": {"type": "array", "items": {"type": ["string", "null"]}},
                "response": {"type": "object", "properties": {"status": {"type": "integer"}, "data": {"type": "string"}}},
                "answer": {"type": "string", "description": "A bare message of the application, hexadecimal."},
                "result": {"type": "object"}
            }},
            "Problem": {"type": "object", "properties": {"title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}}}
        }}
    });
    for methods in document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(|paths| paths.values_mut())
    {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            // The guards', before anything else is looked at.
            operation["responses"]["401"] = problem("The admin token is missing");
            operation["responses"]["403"] = problem("Called from a page of another origin");
            operation["responses"]["421"] = problem("Called by a name that is not ours");
            if method == "post" {
                operation["responses"]["413"] = problem("More than 1 MiB");
                operation["responses"]["415"] =
                    problem("The body is not called JSON; Accept-Post says what is taken");
            }
        }
    }
    document
}
