//! On whose behalf keys call.

use super::*;
use crate::types::Party;

fn party(place: &Place, key: &str) -> Party {
    let compiled = place.directory.compile();
    let found = compiled.extra.keys.iter().find(|stored| stored.key.id.as_str() == key).unwrap();
    (*found.key.party).clone()
}

#[test]
fn a_key_counts_for_its_owners_team() {
    let place = Place::new();
    place.made("/tenants", json!({ "id": "acme" }));
    let made = |path: &str, mut body: Value| {
        body["tenant"] = "acme".into();
        place.made(path, body)
    };
    let [anna, ben] =
        ["anna@acme", "ben@acme"].map(|email| made("/users", json!({ "email": email, "role": "member" })));
    let red = made("/teams", json!({ "name": "red", "members": [anna, ben] }));
    let blue = made("/teams", json!({ "name": "blue", "members": [ben] }));
    let project = made("/projects", json!({ "name": "search", "team": blue }));
    let app = made("/apps", json!({ "name": "crawler", "role": "member", "project": project }));
    let key = |kind: &str, id: &str, team: Option<&str>| json!({ "owner": { "kind": kind, "id": id }, "team": team, "tenant": "acme" });
    let party_of = |body: Value| {
        let party = party(&place, &place.made("/keys", body));
        [party.user, party.app, party.team].map(|id| id.as_deref().map(str::to_owned))
    };
    let some = |id: &str| Some(id.to_owned());

    assert_eq!(party_of(key("user", &anna, None)), [some(&anna), None, some(&red)], "her only team");
    assert_eq!(party_of(key("user", &ben, None)), [some(&ben), None, None], "he has two, and nobody guesses");
    assert_eq!(party_of(key("user", &ben, Some(&blue))), [some(&ben), None, some(&blue)]);
    assert_eq!(party_of(key("app", &app, None)), [None, some(&app), some(&blue)], "that of its project");
    assert_eq!(party_of(json!({ "tenant": "acme", "team": red })), [None, None, some(&red)]);

    for body in [key("user", &anna, Some(&blue)), key("app", &app, Some(&red))] {
        let problem = place.operator("POST", "/keys", body).unwrap_err();
        assert!(format!("{problem:?}").contains("is not a team of the key's owner"), "{problem:?}");
    }
}
