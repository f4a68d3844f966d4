//! OpenAlex (`/works/doi:…`, docs.openalex.org): a catalogue that knows most papers weeks later, by their DOI. arXiv's own DOIs
//! are `10.48550/arXiv.` and the id.

use serde_json::Value;

use super::{AffiliationError, below, repaired, unreadable};
use crate::paper::PaperId;
use crate::source::SourceKind;
use crate::source::request::Request;

/// The work's address below `base` (`https://api.openalex.org`); `None` for what has no DOI.
pub fn request(base: &str, id: &PaperId) -> Option<Request> {
    let doi = match id {
        PaperId::Arxiv(id) => format!("10.48550/arXiv.{id}"),
        PaperId::Doi(doi) => doi.clone(),
        PaperId::Url(_) => return None,
    };
    let mut path = String::with_capacity(doi.len());
    for byte in doi.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' | b':' | b'(' | b')' | b';' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                path.push(char::from(byte));
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(Request::get(below(
        base,
        &format!("works/doi:{path}?select=id,doi,authorships"),
    )))
}

/// The institutions in an answer, in the authors' order; none where it has none.
///
/// # Errors
/// When it is no work.
pub fn parse(bytes: &[u8]) -> Result<Vec<String>, AffiliationError> {
    let wrong = |reason: String| unreadable(SourceKind::OpenAlex, reason);
    let work: Value = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let Some(authorships) = work.get("authorships").and_then(Value::as_array) else {
        let said = work
            .get("message")
            .or(work.get("error"))
            .and_then(Value::as_str)
            .unwrap_or("it has no “authorships”");
        return Err(wrong(said.chars().take(200).collect()));
    };
    let mut said = Vec::new();
    for authorship in authorships.iter().take(1_000) {
        let list = |key: &str| {
            authorship
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .take(50)
        };
        let names = list("institutions").filter_map(|institution| institution.get("display_name")?.as_str());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        // What they could not match to a record is kept as it is printed.
        if names.is_empty() {
            let printed = list("raw_affiliation_strings").filter_map(Value::as_str);
            names = printed.map(str::to_owned).collect();
        }
        said.push(names);
    }
    Ok(repaired(&said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn institutions_stand_in_the_authors_order_and_unmatched_ones_as_printed() {
        let answer = r#"{"id":"https://openalex.org/W1","doi":"https://doi.org/10.48550/arxiv.2510.00001","authorships":[
            {"author_position":"first","author":{"id":null,"display_name":"Ada Lund"},"institutions":[
              {"id":"https://openalex.org/I1","display_name":"Tsinghua University","ror":"https://ror.org/1","country_code":"CN","type":"education"},
              {"id":"https://openalex.org/I2","display_name":"Huawei Technologies (China)","type":"company"}],
             "raw_affiliation_strings":["Dept. of CS, Tsinghua Univ."]},
            {"author":{"display_name":"Bo"},"institutions":[],"raw_affiliation_strings":["Institute of Caches, University of Probes, Probeville 12345, Italy"]},
            {"author":{"display_name":"Cy"},"institutions":[{"display_name":null}],"raw_affiliation_strings":null},
            {"institutions":[{"display_name":"Tsinghua University"}]}]}"#;
        assert_eq!(
            parse(answer.as_bytes()).unwrap(),
            [
                "Tsinghua University",
                "Huawei Technologies (China)",
                "University of Probes"
            ]
        );
        assert!(parse(br#"{"authorships":[]}"#).unwrap().is_empty());
    }

    #[test]
    fn an_error_and_a_bomb_are_told() {
        let refused = |json: &str| parse(json.as_bytes()).unwrap_err().to_string();
        assert!(refused(r#"{"error":"Invalid query","message":"not found"}"#).contains("not found"));
        assert!(refused("<html>").contains("OpenAlex") || refused("<html>").contains("open-alex"));
        assert!(refused(&"[".repeat(10_000)).contains("recursion"));
    }

    #[test]
    fn a_work_is_asked_for_by_its_doi() {
        let url = |id: &str| request("https://api.openalex.org", &id.parse().unwrap()).map(|request| request.url);
        let select = "?select=id,doi,authorships";
        assert_eq!(
            url("2510.00001").unwrap(),
            format!("https://api.openalex.org/works/doi:10.48550/arXiv.2510.00001{select}")
        );
        assert_eq!(
            url("10.1002/(sici)1097<693::aid>3.0").unwrap(),
            format!("https://api.openalex.org/works/doi:10.1002/(sici)1097%3C693::aid%3E3.0{select}")
        );
        assert_eq!(url("https://a.b/c"), None);
    }
}
